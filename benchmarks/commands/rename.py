"""The command ``heatmark rename``: a run under another name."""

import time
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.heartbeat import require_idle
from heatmark.benchmarks.runs.names import changed, written
from heatmark.benchmarks.runs.rename import rename


def main() -> None:
    """Rename the run that the command line names."""
    run_command("rename", job)


def job(config: DictConfig) -> None:
    """Move the folder, and print where it is now."""
    results = Path(config.results_dir)
    old, new = changed(results, str(config.name)), written(results, str(config.to))
    require_idle(old, time.time())
    rename(old, new)
    Console().print(f"{old} is now {new}", soft_wrap=True, markup=False, highlight=False)

"""The command ``heatmark forget``: cells or metrics removed from a run's requests."""

import time
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.building import listed
from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.forget import Which, forget
from heatmark.benchmarks.runs.heartbeat import require_idle
from heatmark.benchmarks.runs.names import changed


def main() -> None:
    """Forget what the command line names."""
    run_command("forget", job)


def job(config: DictConfig) -> None:
    """Remove cells or scores from the requests, and print which."""
    run = changed(Path(config.results_dir), str(config.name))
    require_idle(run, time.time())
    removed = forget(run, Which(**{str(option): listed(names) for option, names in config.which.items()}))
    after = f"heatmark gather {run.name} writes the tables without them, heatmark clean {run.name} frees their space"
    for line in [*(f"removed {line}" for line in removed), after]:
        Console().print(line, soft_wrap=True, markup=False, highlight=False)

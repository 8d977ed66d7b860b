"""The command ``heatmark clean``: what a run's folder holds in vain, removed."""

import time
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.clean import Waste, clean
from heatmark.benchmarks.runs.heartbeat import require_idle
from heatmark.benchmarks.runs.names import changed


def main() -> None:
    """Clean the run that the command line names."""
    run_command("clean", job)


def job(config: DictConfig) -> None:
    """Remove what nothing asks for, and print how much that was."""
    run, now = changed(Path(config.results_dir), str(config.name)), time.time()
    require_idle(run, now)
    waste = clean(run, now, float(config.age), bool(config.dry_run))
    Console().print(said(waste, bool(config.dry_run)), soft_wrap=True, markup=False, highlight=False)


def said(waste: Waste, dry_run: bool) -> str:
    """Return what was removed, in one line."""
    verb = "would be removed" if dry_run else "removed"
    return (
        f"{verb}: {waste.rows} rows that nothing asks for (in {waste.parts} parts), {waste.damaged} damaged files, "
        f"{waste.unfinished} unfinished files; {waste.size:,} bytes"
    )

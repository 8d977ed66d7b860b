"""The command ``heatmark freeze``: all that a run's figures and report are made from, in one folder."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.freeze import freeze
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.tables.gather import gather


def main() -> None:
    """Freeze the run that the command line names."""
    run_command("freeze", job)


def job(config: DictConfig) -> None:
    """Copy the files, and print where they are and how large."""
    run = opened(Path(config.results_dir), str(config.name))
    folder = (
        Path(config.results_dir).parent / "frozen" / run.resolve().name if config.to is None else Path(str(config.to))
    )
    gather(run)  # what was forgotten since is not frozen
    size = freeze(run, folder)
    line = f"{folder} ({size / 1e6:.1f} MB): heatmark figures {folder} and heatmark report {folder} read it"
    Console().print(line, soft_wrap=True, markup=False, highlight=False)

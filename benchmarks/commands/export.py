"""The command ``heatmark export``: a run for others, who read it, verify it and reuse its rows."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.export import Parts, export
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.tables.gather import gather


def main() -> None:
    """Export the run that the command line names."""
    run_command("export", job)


def job(config: DictConfig) -> None:
    """Write the folder, and print where it is, how large, and what reads it."""
    run, folder = opened(Path(config.results_dir), str(config.name)), Path(str(config.to))
    size = export(run, folder, Parts(bool(config.maps), bool(config.pictures)), gather)
    line = (
        f"{folder} ({size / 1e6:.1f} MB): heatmark verify {folder} model=… dataset=… recomputes rows of it, "
        f"heatmark sweep 'reuse=[{folder}]' … takes them over"
    )
    Console().print(line, soft_wrap=True, markup=False, highlight=False)

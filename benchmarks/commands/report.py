"""The command ``heatmark report``: a run as one HTML file to look at."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.report.page import page
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.tables.gather import gather


def main() -> None:
    """Write the page of the run that the command line names."""
    run_command("report", job)


def job(config: DictConfig) -> None:
    """Write the page, and print where it is and how large."""
    run = opened(Path(config.results_dir), str(config.name))
    if config.images is not None and (not isinstance(config.images, int) or config.images < 1):
        raise ValueError(f"images is {config.images!r}, expected a number of at least 1, or null for all")
    if not (run / "results.parquet").exists():
        gather(run)
    console = Console(stderr=True)
    with console.status("leaderboard, maps, curves and pictures …"):
        html = page(run, config.images, config.pictures)
    file = run / "report.html"
    file.write_text(html, encoding="utf-8")
    megabytes = file.stat().st_size / 1e6
    Console().print(f"{file} ({megabytes:.1f} MB): open it in a browser", soft_wrap=True, markup=False, highlight=False)

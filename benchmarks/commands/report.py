"""The command ``heatmark report``: a run as one HTML file to look at."""

from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.report.page import page
from heatmark.benchmarks.tables.gather import gather


@hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name="report")
def main(config: DictConfig) -> None:
    """Write the page, and print where it is and how large."""
    run = Path(config.results_dir) / config.name
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

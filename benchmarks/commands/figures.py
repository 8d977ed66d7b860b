"""The command ``heatmark figures``: a run's figures, paper tables (LaTeX, Markdown) and statistics, from its tables."""

from pathlib import Path

import pandas as pd
from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.figures.atlas import draw_all
from heatmark.benchmarks.figures.tables import Tables, load
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.statistics.pairwise import require
from heatmark.benchmarks.statistics.tables import statistics
from heatmark.benchmarks.tables.gather import publish
from heatmark.benchmarks.tables.paper import paper_tables, write
from heatmark.benchmarks.tables.soundness import unsound


def main() -> None:
    """Draw the figures of the run that the command line names."""
    run_command("figures", job)


def job(config: DictConfig) -> None:
    """Draw the figures, write tables and statistics, and print where they are and what was left out."""
    run = opened(Path(config.results_dir), str(config.name))
    tables = load(run, config.names, config.controls, config.images)
    if len(tables.results):
        require(tables.results, config.compare)
    console, failed = Console(), []
    for drawn in draw_all(tables, run / "figures", config.only):
        failed += [drawn.name] * drawn.failed
        why = f"{'failed' if drawn.failed else 'skipped'}: {drawn.reason}"
        where = f"{run}/figures/{drawn.name}.pdf, .png" if drawn.files else why
        console.print(f"{drawn.name:20} {where}", soft_wrap=True, highlight=False, markup=False)
    if not config.only and not tables.results.empty:
        _tables(tables, run / "tables", console)
        _statistics(statistics(tables.results, config.compare), run / "statistics", console)
    if failed:
        raise ValueError(f"could not draw {', '.join(failed)}, for the reasons above; all else is made")


def _tables(tables: Tables, folder: Path, console: Console) -> None:
    for table in paper_tables(tables.results, tables.timing, tables.label, unsound(folder.parent)):
        write(table, folder)
        console.print(f"{'table':20} {folder / table.name}.tex, .md", soft_wrap=True, highlight=False, markup=False)


def _statistics(found: dict[str, pd.DataFrame], folder: Path, console: Console) -> None:
    folder.mkdir(exist_ok=True)
    for name, table in found.items():
        publish(table, folder / name)
        console.print(f"{name:20} {folder / name}.parquet, .csv", soft_wrap=True, highlight=False, markup=False)

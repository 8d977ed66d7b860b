"""The command ``heatmark diff``: the results of two runs, paired by cell and picture."""

import sys
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.tables.diff import EQUAL, diff
from heatmark.benchmarks.tables.gather import gather

COLUMNS = 100


def main() -> None:
    """Compare the runs that the command line names; exit code 1 where anything differs."""
    run_command("diff", job)


def job(config: DictConfig) -> None:
    """Print every cell that differs, and raise where there is one."""
    first, second = (opened(Path(config.results_dir), str(name)) for name in (config.name, config.other))
    found = diff(results(first), results(second), float(config.tolerance))
    differ = found["verdict"] != EQUAL
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    if config.all or differ.any():
        console.print(table(found if config.all else found[differ]))
    entries = f"{len(found)} cells and metrics, {found['entries'].sum()} rows"
    if differ.any():
        raise ValueError(f"{first} and {second} differ in {differ.sum()} of {entries}")
    console.print(f"equal: {entries}", highlight=False)


def results(run: Path) -> pd.DataFrame:
    """Return a run's results, which are gathered where they are not there."""
    path = run / "results.parquet"
    return pd.read_parquet(path) if path.exists() else gather(run)


def table(found: pd.DataFrame) -> Table:
    """Return cells as a table."""
    right = [Column(name, justify="right") for name in ("rows", "different", "missing", "largest")]
    result = Table("model", "layer", "method", "metric", *right, "verdict", box=box.SIMPLE_HEAD)
    for row in found.to_dict("records"):
        names = [
            f"{row['model']} on {row['dataset']}",
            row["layer"],
            f"{row['method']} {row['options']}",
            row["metric"],
        ]
        numbers = [f"{row['entries']}", f"{row['different']}", f"{row['missing']}", f"{row['largest']:.2g}"]
        result.add_row(*(Text(str(text)) for text in [*names, *numbers, row["verdict"]]))
    return result

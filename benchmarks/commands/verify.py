"""The command ``heatmark verify``: rows of a run computed again from the reader's own weights and pictures."""

import sys
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig, ListConfig
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from heatmark.benchmarks.config.building import build, build_classifier, listed
from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.config.recorded import recorded
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.verify.jobs import circumstances, matching
from heatmark.benchmarks.verify.verdicts import CANNOT, DEVIATES, EQUAL
from heatmark.benchmarks.verify.verify import verify
from heatmark.benchmarks.verify.which import Which

COLUMNS = 80
SHOWN = 5
"""Number of notes that are printed."""


def main() -> None:
    """Verify the run that the command line names; exit code 1 where any row deviates or cannot be recomputed."""
    run_command("verify", job)


def job(config: DictConfig) -> None:
    """Print the verdicts per method, and raise where not all are equal."""
    run = opened(Path(config.results_dir), str(config.name))
    classifier, dataset = build_classifier(config.model), build(config.dataset, "dataset")
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    for line in circumstances(run, classifier, str(config.device)):
        console.print(line, markup=False, highlight=False)
    asked = [each.request for each in matching(run, classifier)]
    methods = recorded("method", ((cell.method, cell.options) for each in asked for cell in each.cells))
    metrics = recorded("metric", ((metric.name, metric.options) for each in asked for metric in each.metrics))
    found = verify(run, classifier, dataset, methods, metrics, which(config))
    console.print(table(found))
    for line in notes(found):
        console.print(line, markup=False, highlight=False)
    counts = ", ".join(f"{(found['verdict'] == word).sum()} {word}" for word in (EQUAL, DEVIATES, CANNOT))
    if not (found["verdict"] == EQUAL).all():
        largest = found["difference"].max()
        raise ValueError(f"{counts}; largest deviation {largest:.3g}" if largest > 0 else counts)
    pictures = found["image"].nunique()
    console.print(f"{counts}: {pictures} of the pictures of {run}", highlight=False, markup=False)


def which(config: DictConfig) -> Which:
    """Return the rows that a configuration asks for."""
    names = {option: listed(config.which[option]) for option in ("method", "layer", "metric")}
    images = [str(name) for name in config.images] if isinstance(config.images, ListConfig) else config.images
    return Which([images] if isinstance(images, str) else images, **names, seed=config.seed, device=str(config.device))


def table(found: pd.DataFrame) -> Table:
    """Return the numbers of verdicts per method and layer, with the largest deviation of each."""
    right = [Column(name, justify="right") for name in ("rows", EQUAL, DEVIATES, CANNOT, "largest")]
    result = Table("method", "layer", *right, box=box.SIMPLE_HEAD)
    for (method, layer), rows in found.groupby(["method", "layer"], sort=True):
        counts = [(rows["verdict"] == word).sum() for word in (EQUAL, DEVIATES, CANNOT)]
        largest = rows["difference"].max()
        said = "" if pd.isna(largest) else f"{largest:.2g}"
        result.add_row(*(Text(str(cell)) for cell in (method, layer, len(rows), *counts, said)))
    return result


def notes(found: pd.DataFrame) -> list[str]:
    """Return what is missing or differs, with the number of rows of each, the commonest first."""
    told = found[found["note"] != ""]
    counts = (told["verdict"] + ": " + told["note"]).value_counts()
    lines = [f"{note} ({count} rows)" for note, count in counts.head(SHOWN).items()]
    return [*lines, f"and {len(counts) - SHOWN} more reasons"] if len(counts) > SHOWN else lines

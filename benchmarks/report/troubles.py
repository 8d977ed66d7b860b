"""Failures of a run: skipped and failed cells, degenerate maps, undefined scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from heatmark.benchmarks.schema import CELL_KEY
from heatmark.benchmarks.tables.troubles import named_troubles


@dataclass(frozen=True)
class Failure:
    """Cells that were skipped, or that failed, for the same reason.

    Args:
        status: ``error`` or ``skipped``.
        reason: the reason.
        cells: names of the cells, each once, with the image or the number of images where it is about these; of a job
            that could not begin, the model's name.
    """

    status: str
    reason: str
    cells: list[str]


@dataclass(frozen=True)
class Suspect:
    """Images of one cell whose maps, or scores of one metric, have the same fault.

    Args:
        facts: the cell's values of :data:`heatmark.benchmarks.schema.CELL_KEY`.
        fault: kind of degeneracy, or ``undefined`` and the definition of a metric.
        images: names of these images.
        of: number of all images of the cell.
    """

    facts: dict[str, str]
    fault: str
    images: list[str]
    of: int


def failures(results: pd.DataFrame, told: Sequence[str] = ()) -> list[Failure]:
    """Return skips and errors by reason, errors first.

    Args:
        results: the results table; a job that could not begin is one row, without a layer and a method.
        told: columns whose values are part of a cell's name, beside its model, layer and method.
    """
    names = ("model", "layer", "method", *told)
    without = results[results["status"].isin(["error", "skipped"])]
    return [
        Failure(str(status), str(reason), named_troubles(rows, names, " · "))
        for (status, reason), rows in without.groupby(["status", "reason"], sort=True)
    ]


def suspects(scored: pd.DataFrame) -> list[Suspect]:
    """Return degenerate maps by cell and kind, then undefined scores by cell and definition."""

    flagged = scored[scored["status"] == "degenerate"].drop_duplicates(["cell", "image"])
    undefined = scored[scored["value"].isna() & (scored["status"] != "error")]
    undefined = undefined.assign(reason="undefined " + undefined["definition"])
    counts = scored.groupby("cell")["image"].nunique().to_dict()
    return [
        Suspect(_names(rows), str(fault), rows["image"].tolist(), int(counts[cell]))
        for table in (flagged, undefined)
        for (cell, fault), rows in table.groupby(["cell", "reason"], sort=False)
    ]


def _names(rows: pd.DataFrame) -> dict[str, str]:
    return {str(k): str(v) for k, v in rows[CELL_KEY].iloc[0].items()}

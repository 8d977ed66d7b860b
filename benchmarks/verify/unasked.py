"""Rows of a table that no job of its run asks for: those of a table that was changed by hand, or is out of date."""

from collections.abc import Collection, Sequence

import pandas as pd

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.tables.jobs import Job
from heatmark.benchmarks.tables.places import places

OF_SCORE = ["maps", "layer", "method", "implementation", "options", "metric", "definition", "replicate"]
UNASKED = "no job of the run asks for this row; heatmark gather writes the table anew"


def unasked(table: pd.DataFrame, every: Sequence[Job]) -> "pd.Series[bool]":
    """Return which rows of a results table no job asks for, (rows,).

    Args:
        table: rows of single pictures under a metric.
        every: all jobs of the run, the newest first.
    """
    scores = {
        (*place.job.place, cell.key, cell.layer, cell.method, cell.implementation, cell.options, *metric)
        for place in places(every)
        for cell in [place.cell]
        for metric in place.asked
    }
    pictures = {(*job.place, entry.image) for job in every for entry in job.request.entries}
    return ~(_among(table, OF_SCORE, scores) & _among(table, ["image"], pictures))


def _among(table: pd.DataFrame, columns: Sequence[str], known: Collection[tuple[object, ...]]) -> "pd.Series[bool]":
    """Return which rows have in the columns of the setting and in these one of the known combinations."""
    every = zip(*(table[name] for name in [*SETTING, *columns]), strict=True)
    return pd.Series([combination in known for combination in every], index=table.index, dtype=bool)

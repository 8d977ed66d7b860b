"""Contradictions of a leaderboard: methods that are first by one metric and below random by another."""

from collections.abc import Iterator, Mapping

import pandas as pd

from heatmark.benchmarks.statistics.gains import CONTROLS
from heatmark.benchmarks.statistics.variants import plain
from heatmark.benchmarks.tables.texts import bare


def contradictions(leaderboards: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Yield a line per method that is first by one metric and below random by another: its gain's interval is below 0.

    Args:
        leaderboards: of the same cells, by heading of the metric, such as ``insertion ↑``
            (:func:`heatmark.benchmarks.statistics.leaderboard.standings`).
    """
    if not leaderboards:
        return
    every = pd.concat([each.assign(heading=bare(name)) for name, each in leaderboards.items()])
    own = every[(every["same_as"] == "") & ~every["method"].map(plain).isin(CONTROLS)]
    for label, rows in own.groupby("label", sort=False):
        first, below = (rows.loc[which, "heading"] for which in (rows["rank"] == 1, rows["gain_high"] < 0))
        if len(first) and len(below):
            yield f"{label}: first by {', '.join(first)}, below random by {', '.join(below)}"

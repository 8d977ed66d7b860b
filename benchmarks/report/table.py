"""The leaderboard as rows for a page: one row a cell, a group of scored a metric's definition."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Score:
    """One cell under one definition: the leaderboard's columns, and where its interval lies, in percent of all."""

    mean: float
    ci_low: float
    ci_high: float
    rank: float
    rank_low: float
    rank_high: float
    n: int
    n_groups: int
    undefined: int
    mean_unflagged: float
    n_unflagged: int
    rank_unflagged: float
    n_ranked_unflagged: int
    left: float
    width: float
    at: float


@dataclass(frozen=True)
class Row:
    """One cell: its names, its scores by definition, and its cost (NaN where it was not timed).

    Args:
        flagged, images: images whose map is degenerate, and all of them.
    """

    facts: dict[str, Any]
    scores: dict[str, Score]
    flagged: int
    images: int
    cost: float
    latency_ms: float


def rows(ranked: pd.DataFrame, timing: pd.DataFrame) -> list[Row]:
    """Return one row a cell, model after model, each in the order of the first definition, repeats behind their like.

    Args:
        ranked: of :func:`heatmark.benchmarks.statistics.leaderboard.leaderboard`.
        timing: the run's timing table.
    """
    placed = ranked.groupby(["dataset", "definition"], group_keys=False)[ranked.columns.tolist()].apply(_placed)
    costs = timing.groupby("cell")[["cost_in_forwards", "latency_ms"]].median()
    order = [
        "dataset",
        "model",
        "weights",
        "device",
        "precision",
        "target_rule",
        "definition",
        "rank",
        "same_as",
        "label",
    ]
    cells = placed.sort_values(order, kind="stable").drop_duplicates("cell")["cell"]
    groups = {str(cell): scored for cell, scored in placed.groupby("cell")}
    return [_row(groups[cell], costs) for cell in cells]


def _row(scored: pd.DataFrame, costs: pd.DataFrame) -> Row:
    cell = scored["cell"].iloc[0]
    cost, latency = costs.loc[cell] if cell in costs.index else (np.nan, np.nan)
    fields = list(Score.__dataclass_fields__)
    scores = {str(key): Score(*(part[name].iloc[0] for name in fields)) for key, part in scored.groupby("definition")}
    facts = {str(name): value for name, value in scored.iloc[0].items()}
    images = int((scored["n"] + scored["undefined"]).max())
    return Row(facts, scores, int(scored["flagged"].max()), images, float(cost), float(latency))


def _placed(ranked: pd.DataFrame) -> pd.DataFrame:
    """Add where a mean (``at``) and its interval (``left``, ``width``) lie between the least and the greatest."""
    ends = ranked[["mean", "ci_low", "ci_high"]]
    least, greatest = float(ends.min().min()), float(ends.max().max())
    span = greatest - least if greatest > least else np.nan
    return ranked.assign(
        at=100 * (ranked["mean"] - least) / span,
        left=100 * (ranked["ci_low"] - least) / span,
        width=100 * (ranked["ci_high"] - ranked["ci_low"]) / span,
    )

"""The leaderboard as rows for a page: one row a trial, a group of cells a metric's definition."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Score:
    """One trial under one definition: the leaderboard's columns, and where its interval lies, in percent of all."""

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
    """One trial: its names, its scores by definition, and its cost (NaN where it was not timed).

    Args:
        flagged, images: images whose map is degenerate, and all of them.
    """

    facts: dict[str, Any]
    scores: dict[str, Score]
    flagged: int
    images: int
    cost: float
    latency_ms: float


def rows(board: pd.DataFrame, timing: pd.DataFrame) -> list[Row]:
    """Return one row a trial, model after model, each in the order of the first definition, repeats behind their like.

    Args:
        board: of :func:`heatmark.benchmarks.statistics.leaderboard.leaderboard`.
        timing: the run's timing table.
    """
    placed = board.groupby(["dataset", "definition"], group_keys=False)[board.columns.tolist()].apply(_placed)
    costs = timing.groupby("trial")[["cost_in_forwards", "latency_ms"]].median()
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
    trials = placed.sort_values(order, kind="stable").drop_duplicates("trial")["trial"]
    groups = {str(trial): cells for trial, cells in placed.groupby("trial")}
    return [_row(groups[trial], costs) for trial in trials]


def _row(cells: pd.DataFrame, costs: pd.DataFrame) -> Row:
    trial = cells["trial"].iloc[0]
    cost, latency = costs.loc[trial] if trial in costs.index else (np.nan, np.nan)
    fields = list(Score.__dataclass_fields__)
    scores = {str(key): Score(*(part[name].iloc[0] for name in fields)) for key, part in cells.groupby("definition")}
    facts = {str(name): value for name, value in cells.iloc[0].items()}
    images = int((cells["n"] + cells["undefined"]).max())
    return Row(facts, scores, int(cells["flagged"].max()), images, float(cost), float(latency))


def _placed(board: pd.DataFrame) -> pd.DataFrame:
    """Add where a mean (``at``) and its interval (``left``, ``width``) lie between the least and the greatest."""
    ends = board[["mean", "ci_low", "ci_high"]]
    least, greatest = float(ends.min().min()), float(ends.max().max())
    span = greatest - least if greatest > least else np.nan
    return board.assign(
        at=100 * (board["mean"] - least) / span,
        left=100 * (board["ci_low"] - least) / span,
        width=100 * (board["ci_high"] - board["ci_low"]) / span,
    )

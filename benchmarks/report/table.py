"""Rows of the page's leaderboard: one row per method, layer and model, with one group of columns per metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from heatmark.benchmarks.tables.soundness import MATCHED, NONE, Unsound, why_unsound


@dataclass(frozen=True)
class Score:
    """The scores of one cell under one definition of a metric.

    Args:
        mean, ci_low, ci_high, rank, rank_low, rank_high, n, n_groups, undefined, mean_unflagged, n_unflagged: as in the
            leaderboard (:func:`heatmark.benchmarks.statistics.leaderboard.leaderboard`).
        rank_unflagged, n_ranked_unflagged, draws, draws_sd, draws_low, draws_high: likewise.
        left, width, at: where the bar that shows the interval begins, how long it is, and where its mean lies; in
            percent of the range from the lowest to the highest interval of this dataset and definition. NaN where that
            range is empty.
        unsound: why the metric fails its card on this model and data; ``""`` where it does not, or has none.
    """

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
    draws: int
    draws_sd: float
    draws_low: float
    draws_high: float
    left: float
    width: float
    at: float
    unsound: str


@dataclass(frozen=True)
class Row:
    """One row of the page's leaderboard, that is, one cell.

    Args:
        facts: the cell's values of the leaderboard's columns.
        scores: by definition of a metric.
        flagged: number of images whose map is degenerate.
        images: number of all images.
        cost: in plain forward passes; NaN where the cell was not timed.
        latency_ms: median of the timed batch sizes; NaN where the cell was not timed.
    """

    facts: dict[str, Any]
    scores: dict[str, Score]
    flagged: int
    images: int
    cost: float
    latency_ms: float


def rows(ranked: pd.DataFrame, timing: pd.DataFrame, failed: Unsound = NONE) -> list[Row]:
    """Return one row per cell, sorted by dataset, model and setting, then by rank under the first definition that
    is not descriptive and, if there is such a one, does not fail its card.

    A method with another method's maps follows it.

    Args:
        ranked: the leaderboard (:func:`heatmark.benchmarks.statistics.leaderboard.leaderboard`).
        timing: the run's timing table.
        failed: why metrics fail their cards (:func:`heatmark.benchmarks.tables.soundness.unsound`).
    """
    placed = ranked.groupby(["dataset", "definition"], group_keys=False)[ranked.columns.tolist()].apply(_placed)
    placed["descriptive"] = placed["higher_is_better"].isna()
    placed["unsound"] = [why_unsound(row, failed) for row in placed[MATCHED].to_dict("records")]
    placed["fails"] = placed["unsound"] != ""
    costs = timing.groupby("cell")[["cost_in_forwards", "latency_ms"]].median()
    order = [
        "dataset",
        "model",
        "weights",
        "device",
        "precision",
        "target_rule",
        "descriptive",
        "fails",
        "definition",
        "rank",
        "same_as",
        "label",
    ]
    cells = placed.sort_values(order, kind="stable").drop_duplicates("cell")["cell"]
    of_cells = {str(cell): found for cell, found in placed.groupby("cell")}
    return [_row(of_cells[cell], costs) for cell in cells]


def fail_everywhere(found: Sequence[Row]) -> set[str]:
    """Return the definitions of metrics that fail their cards in every row that has a score under them."""
    sound = {key for row in found for key, score in row.scores.items() if not score.unsound}
    return {key for row in found for key in row.scores} - sound


def _row(placed: pd.DataFrame, costs: pd.DataFrame) -> Row:
    cell = placed["cell"].iloc[0]
    cost, latency = costs.loc[cell] if cell in costs.index else (np.nan, np.nan)
    fields = list(Score.__dataclass_fields__)
    scores = {str(key): Score(*(row[name].iloc[0] for name in fields)) for key, row in placed.groupby("definition")}
    facts = {str(name): value for name, value in placed.iloc[0].items()}
    images = int((placed["n"] + placed["undefined"]).max())
    return Row(facts, scores, int(placed["flagged"].max()), images, float(cost), float(latency))


def _placed(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return a leaderboard with the columns ``at``, ``left`` and ``width`` of :class:`Score`."""
    ends = ranked[["mean", "ci_low", "ci_high"]]
    least, greatest = float(ends.min().min()), float(ends.max().max())
    span = greatest - least if greatest > least else np.nan
    return ranked.assign(
        at=100 * (ranked["mean"] - least) / span,
        left=100 * (ranked["ci_low"] - least) / span,
        width=100 * (ranked["ci_high"] - ranked["ci_low"]) / span,
    )

"""The leaderboard as rows for a page: one row a trial, a group of cells a metric's definition."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

KEYS = ["dataset", "model", "layer", "method"]


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
    undefined: int
    left: float
    width: float
    at: float


@dataclass(frozen=True)
class Row:
    """One trial: its names, its scores by definition, and its cost (NaN where it was not timed)."""

    facts: dict[str, Any]
    explained: str
    scores: dict[str, Score]
    flagged: int
    cost: float
    latency_ms: float


def rows(board: pd.DataFrame, timing: pd.DataFrame, explained: dict[str, str]) -> list[Row]:
    """Return one row a trial, model after model, each in the order of the first definition, repeats behind their like.

    Args:
        board: of :func:`benchmarks.statistics.leaderboard.leaderboard`.
        timing: the run's timing table.
        explained: by trial, in words, which classes it explains.
    """
    placed = board.groupby(["dataset", "definition"], group_keys=False)[board.columns.tolist()].apply(_placed)
    costs = timing.groupby("trial")[["cost_in_forwards", "latency_ms"]].median()
    first = placed.assign(explained=placed["trial"].map(explained).fillna("")).sort_values(
        ["dataset", "model", "explained", "definition", "rank", "same_as", "label"], kind="stable"
    )
    order = first.drop_duplicates("trial")["trial"]
    groups = {str(trial): cells for trial, cells in placed.groupby("trial")}
    return [_row(groups[trial], costs, explained.get(trial, "")) for trial in order]


def _row(cells: pd.DataFrame, costs: pd.DataFrame, explained: str) -> Row:
    trial = cells["trial"].iloc[0]
    cost, latency = costs.loc[trial] if trial in costs.index else (np.nan, np.nan)
    fields = list(Score.__dataclass_fields__)
    scores = {str(key): Score(*(part[name].iloc[0] for name in fields)) for key, part in cells.groupby("definition")}
    facts = {str(name): value for name, value in cells.iloc[0].items()}
    return Row(facts, explained, scores, int(cells["flagged"].max()), float(cost), float(latency))


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


def explained_classes(scored: pd.DataFrame) -> dict[str, str]:
    """Say of every trial which classes it explains, where a run's trials differ in that; empty where they do not.

    A single class for all images is named by its number; other choices are set A, set B, … by model.
    """
    pairs = scored.drop_duplicates(["trial", "image"])
    chosen = (pairs["image"] + "\0" + pairs["target"]).groupby(pairs["trial"]).agg(frozenset)
    single = pairs.groupby("trial")["target"].agg(lambda t: t.iloc[0] if t.nunique() == 1 and len(t) > 1 else "")
    of_model = pairs.drop_duplicates("trial").set_index("trial")[["dataset", "model", "weights"]].agg("\0".join, axis=1)
    found: dict[str, str] = {}
    for _, sets in chosen.groupby(of_model):
        names = {choice: chr(ord("A") + i % 26) for i, choice in enumerate(sets.unique())}
        if len(names) > 1:
            found |= {
                trial: f"class {single[trial]}" if single[trial] else f"set {names[choice]}"
                for trial, choice in zip(sets.index.astype(str), sets, strict=True)
            }
    return found

"""Every method's mean, its interval and its rank."""

import numpy as np
import pandas as pd

from benchmarks.statistics.boards import FACTS, Board, boards
from benchmarks.statistics.defined import means
from benchmarks.statistics.intervals import bca
from benchmarks.statistics.ranks import complete, rank_intervals

COLUMNS = [
    *FACTS, "higher_is_better", "layer", "method", "implementation", "label", "trial", "mean", "ci_low", "ci_high",
    "n", "undefined", "flagged", "rank", "rank_low", "rank_high", "n_ranked", "same_as",
]  # fmt: skip


def leaderboard(results: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return one row a trial and definition of a metric, best first within its board.

    Returns:
        The board's facts (:data:`benchmarks.statistics.boards.FACTS`), ``higher_is_better``;
        ``layer, method, implementation, label, trial``; ``mean, ci_low, ci_high`` over its ``n`` defined images (BCa);
        ``undefined`` and ``flagged`` (degenerate maps) images; ``rank`` by mean among the board's competitors, 1 the
        best, ``rank_low, rank_high`` (bootstrap), on the ``n_ranked`` images where all competitors are defined;
        ``same_as``, the label of the method that this one repeats, or ``""``: it then has that one's rank.
    """
    tables = [_table(board, confidence) for board in boards(results)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _table(board: Board, confidence: float) -> pd.DataFrame:
    values, entrants = board.array(), board.entrants
    low, high = bca(values, board.seed, confidence=confidence)
    undefined = np.isnan(values).sum(axis=0)
    table = entrants.reset_index().assign(
        **board.facts,
        higher_is_better=board.higher_is_better,
        mean=means(values),
        ci_low=low,
        ci_high=high,
        n=len(values) - undefined,
        undefined=undefined,
        same_as=entrants["same_as"].map(entrants["label"]).fillna("").to_numpy(),
    )
    ranks = _ranks(board, confidence).loc[entrants["same_as"].where(entrants["same_as"] != "", entrants.index)]
    table[ranks.columns] = ranks.to_numpy()
    # a method that repeats another one follows it directly
    return table.assign(repeat=table["same_as"] != "").sort_values(["rank", "repeat", "label"])[COLUMNS]


def _ranks(board: Board, confidence: float) -> pd.DataFrame:
    scores = board.scores.to_numpy(dtype=np.float64)
    rank, low, high = rank_intervals(scores, board.seed, confidence)
    n = len(complete(scores[:, ~np.isnan(scores).all(axis=0)]))
    columns = {"rank": rank, "rank_low": low, "rank_high": high, "n_ranked": n}
    return pd.DataFrame(columns, index=board.competitors.index)

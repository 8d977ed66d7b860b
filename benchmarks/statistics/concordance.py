"""Do models and metrics agree on the order of methods: Kendall's W."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.statistics.boards import FACTS, Board, boards
from benchmarks.statistics.defined import tied

COLUMNS = [
    "across", "dataset", "target_rule", "device", "precision", "model", "weights", "layer", "metric", "definition",
    "w", "statistic", "p_value", "n_judges", "n_methods", "left_out",
]  # fmt: skip

VARIED = {
    "models": ["model", "weights", "layer"],
    "metrics": ["metric", "definition"],
    "models and metrics": ["model", "weights", "layer", "metric", "definition"],
}


@dataclass(frozen=True)
class KendallW:
    """Kendall's coefficient of concordance of judges who order methods.

    Args:
        w: 0 (no agreement) to 1 (one order); NaN with fewer than two judges or methods, or all tied.
        statistic, p_value: ``χ² = judges (methods − 1) W``, which is Friedman's, and its p-value (asymptotic: take it
            as a hint for few judges or methods).
        n_judges, n_methods: that took part.
        left_out: methods that some judge has no score of.
    """

    w: float
    statistic: float
    p_value: float
    n_judges: int
    n_methods: int
    left_out: tuple[str, ...]


def kendall_w(scores: pd.DataFrame) -> KendallW:
    """Return Kendall's W of (judges × methods), higher is better, corrected for ties.

    ``W = 12 Σ(Rᵢ − R̄)² / (m²(k³ − k) − m ΣTⱼ)``, Rᵢ the rank sums of the k methods over m judges and
    ``Tⱼ = Σ(t³ − t)`` over judge j's groups of t tied methods. Kendall and Babington Smith, "The problem of m
    rankings", Annals of Mathematical Statistics 10 (1939).
    """
    whole = scores.dropna(axis="columns")
    left_out = tuple(str(name) for name in scores.columns.difference(whole.columns))
    m, k = whole.shape
    # judges differ in unit: each has a rounding of its own
    values = np.concatenate([tied(row[None]) for row in whole.to_numpy(dtype=np.float64)]) if m else np.empty((m, k))
    ranks = stats.rankdata(-values, axis=1) if whole.size else values
    ties = sum(int((t**3 - t).sum()) for t in (np.unique(row, return_counts=True)[1] for row in ranks))
    most = m**2 * (k**3 - k) - m * ties
    if m < 2 or k < 2 or most == 0:
        return KendallW(np.nan, np.nan, np.nan, m, k, left_out)
    sums = ranks.sum(axis=0)
    w = float(12 * ((sums - sums.mean()) ** 2).sum() / most)
    statistic = m * (k - 1) * w
    return KendallW(w, statistic, float(stats.chi2.sf(statistic, k - 1)), m, k, left_out)


def judges(results: pd.DataFrame) -> pd.DataFrame:
    """Return (judges × methods): mean scores, higher is better; a judge is a board at one layer.

    Methods that belong to no layer (``input``) compete at every layer. Where a method repeats another one it has that
    one's score, and so ties with it; a method that repeats the same other one before every judge is left out.

    Returns:
        Index: the board's facts and ``layer``. Columns: methods; NaN where a judge has no such method, or no value.
    """
    rows = [row for board in boards(results) for row in _judges(board)]
    index = [*FACTS, "layer"]
    if not rows:
        return pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=index))
    table = pd.concat(rows, ignore_index=True)
    competing = table[table["method"] == table["stands"]]["method"].unique()
    stands = table.groupby("method")["stands"].nunique()
    kept = table["method"].isin(competing) | (table["method"].map(stands) > 1)
    return table[kept].groupby([*index, "method"])["score"].mean().unstack("method")


def _judges(board: Board) -> Iterator[pd.DataFrame]:
    """Yield one table a layer: ``method``, the method that ``stands`` for it, and its ``score``."""
    entrants = board.entrants
    stand = entrants["same_as"].where(entrants["same_as"] != "", entrants.index.to_series())
    scores = board.values.mean() * (1.0 if board.higher_is_better else -1.0)
    everyone = pd.DataFrame(
        {
            "method": entrants["method"],
            "stands": stand.map(entrants["method"]),
            "score": stand.map(scores),
        }
    )
    layers = [name for name in entrants["layer"].unique() if name != "input"] or ["input"]
    for layer in layers:
        yield everyone[entrants["layer"].isin([layer, "input"])].assign(**board.facts, layer=layer)


def concordance(results: pd.DataFrame) -> pd.DataFrame:
    """Return Kendall's W across models (and layers), across metrics, and across both.

    Returns:
        ``across`` (``models``, ``metrics``, ``models and metrics``); ``dataset, target_rule, device, precision, model,
        weights, layer, metric, definition``, ``""`` where that is what the judges differ in; ``w, statistic, p_value,
        n_judges, n_methods, left_out`` (names joined by commas). One row for every set of two or more judges.
    """
    table = judges(results)
    rows = []
    for across, varied in VARIED.items():
        fixed = [name for name in table.index.names if name not in varied]
        for key, scores in table.groupby(level=fixed):
            if len(scores) < 2:
                continue
            found = kendall_w(scores)
            facts = dict.fromkeys(map(str, varied), "") | dict(zip(fixed, key, strict=True)) | {"across": across}
            rows.append(facts | vars(found) | {"left_out": ", ".join(found.left_out)})
    return pd.DataFrame(rows, columns=COLUMNS)

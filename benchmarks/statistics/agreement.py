"""Agreement of two definitions of metrics on the order of methods, such as two published protocols of deletion."""

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heatmark.benchmarks.statistics.comparisons import FACTS, Comparison, comparisons
from heatmark.benchmarks.statistics.defined import Floats

Integers = NDArray[np.int64]
RESAMPLES = 999
MODEL = FACTS[:-2]
"""The facts of a comparison without the metric: the model, its images and how they were explained."""
COLUMNS = [*MODEL, "one", "other", "tau", "low", "high", "n_methods", "n_units"]


def agreement(results: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return Kendall's τ-b of the methods' mean scores, in [−1, 1], for every two ranked definitions on one model.

    A mean is over the images, or groups, on which all methods have a score under both definitions; both are resampled
    together for the percentile bootstrap interval. Methods that repeat another one's maps are left out.

    Returns:
        The facts of the model and its images; ``one`` and ``other``, the definitions; ``tau`` with ``low`` and
        ``high``; ``n_methods``; ``n_units``, the number of images or groups. NaN where a definition gives all methods
        the same mean, or no image has all scores.
    """
    ranked = [each for each in comparisons(results) if each.higher_is_better is not None]
    pairs = [pair for pair in combinations(ranked, 2) if _alike(*pair)]
    return pd.DataFrame([_row(*pair, confidence) for pair in pairs], columns=COLUMNS)


def _alike(one: Comparison, other: Comparison) -> bool:
    """Return whether two comparisons are of the same images and methods of one model."""
    same = all(one.facts[name] == other.facts[name] for name in MODEL)
    return same and one.values.index.equals(other.values.index) and set(one.scores) == set(other.scores)


def _row(one: Comparison, other: Comparison, confidence: float) -> dict[str, object]:
    scores = np.stack([one.blocks.to_numpy(), other.blocks[one.blocks.columns].to_numpy()]).astype(np.float64)
    scores = scores[:, ~np.isnan(scores).any(axis=(0, 2))]
    names = {"one": one.facts["definition"], "other": other.facts["definition"]}
    sizes = {"n_methods": scores.shape[2], "n_units": scores.shape[1]}
    taus = [_tau(scores[:, rows]) for rows in _resamples(scores.shape[1], one.seed)]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.nanquantile(taus, tails) if not np.isnan(taus).all() else (np.nan, np.nan)
    tau = {"tau": _tau(scores), "low": float(low), "high": float(high)}
    return {**{name: one.facts[name] for name in MODEL}, **names, **tau, **sizes}


def _resamples(units: int, seed: int) -> Integers:
    """Return units drawn with replacement, (RESAMPLES, units); none where there is no unit."""
    return np.random.default_rng(seed).integers(0, max(units, 1), (RESAMPLES if units else 0, units))


def _tau(scores: Floats) -> float:
    """Return Kendall's τ-b of two definitions' means over units, (2, units, methods)."""
    from scipy import stats  # takes longer to import than a sweep to start

    if not scores.size:
        return np.nan
    first, second = scores.mean(axis=1)
    return float(stats.kendalltau(first, second).statistic)

"""Agreement of two definitions of metrics on the order of methods, such as two published protocols of deletion."""

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heatmark.benchmarks.statistics.comparisons import FACTS, Comparison, comparisons
from heatmark.benchmarks.statistics.defined import Floats, tied

Integers = NDArray[np.int64]
RESAMPLES = 999
MODEL = FACTS[:-2]
"""The facts of a comparison without the metric: the model, its images and how they were explained."""
COLUMNS = [*MODEL, "one", "other", "tau", "low", "high", "n_methods", "n_units"]


def agreement(results: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return Kendall's τ-b of the methods' mean scores, in [−1, 1], for every two ranked definitions on one model.

    A mean is over the images, or groups, on which all methods have a score under both definitions; both are resampled
    together for the percentile bootstrap interval. Where methods' means nearly tie, τ itself may lie at an end of its
    interval or beyond. Methods that repeat another one's maps are left out.

    Returns:
        The facts of the model and its images; ``one`` and ``other``, the definitions; ``tau`` with ``low`` and
        ``high``; ``n_methods``; ``n_units``, the number of images or groups. NaN where a definition gives all methods
        the same mean, or no image has all scores; a single one gives no interval.
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
    found = dict(zip(("tau", "low", "high"), _estimate(scores, one.seed, confidence), strict=True))
    return {**{name: one.facts[name] for name in MODEL}, **names, **found, **sizes}


def _estimate(scores: Floats, seed: int, confidence: float) -> tuple[float, float, float]:
    """Return τ of (2, units, methods), and its percentile bootstrap interval over units; NaN where it is undefined.

    One unit has no interval: all its resamples are itself.
    """
    units = scores.shape[1]
    if not units:
        return np.nan, np.nan, np.nan
    own = float(_taus(scores, np.ones((1, units), np.int64))[0])
    if units == 1:
        return own, np.nan, np.nan
    counts = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), RESAMPLES)
    taus = _taus(scores, counts)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.nanquantile(taus, tails) if not np.isnan(taus).all() else (np.nan, np.nan)
    return own, float(low), float(high)


def _taus(scores: Floats, counts: Integers) -> Floats:
    """Return Kendall's τ-b of two definitions' sums over units, per resample; NaN where one gives all the same sum.

    τ-b = Σ s t / √(Σ s² Σ t²) over pairs of methods, with s and t the signs of their difference under each definition.

    Args:
        scores: (2, units, methods).
        counts: (resamples, units), how often each unit counts.
    """
    first, second = np.triu_indices(scores.shape[2], 1)
    sums = [tied(counts @ each) for each in scores]
    one, other = (np.sign(each[:, first] - each[:, second]) for each in sums)
    pairs = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    taus: Floats = np.divide((one * other).sum(axis=1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return taus

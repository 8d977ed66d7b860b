"""Ranks of methods by mean score, with bootstrap intervals."""

import numpy as np

from heatmark.benchmarks.statistics.defined import Floats, Mask, tied
from heatmark.benchmarks.statistics.groups import Groups, group_sums
from heatmark.benchmarks.statistics.intervals import RESAMPLES


def rank_intervals(scores: Floats, groups: Groups, seed: int, confidence: float = 0.95) -> Floats:
    """Return every method's rank by mean score, 1 the best, with its percentile bootstrap interval over groups.

    Methods are compared on the images that all of them have a score of. Means that are equal, or equal but
    for rounding, share their mean rank. The interval shows how ranks vary with the images drawn; where true means are
    equal it is wide but not guaranteed to cover (Xie, Singh and Zhang, "Confidence intervals for population ranks",
    JASA 104, 2009).

    Args:
        scores: (n, m), one row per image, higher is better; a column without any score has no rank and excludes no
            image.
        groups: (n,) number of the group of every image; whole groups are resampled.
        seed: of the resamples.
        confidence: nominal coverage.

    Returns:
        (3, m): rank, lower and upper bound; NaN without a common image, bounds NaN below two groups.
    """
    from scipy import stats  # takes longer to import than a sweep to start

    result = np.full((3, scores.shape[1]), np.nan)
    ranked, rows = common(scores)
    shared = scores[rows][:, ranked]
    if not len(shared):
        return result
    result[0, ranked] = stats.rankdata(-tied(shared.mean(axis=0, keepdims=True)))
    sums = group_sums(shared, np.unique(groups[rows], return_inverse=True)[1])
    if (n := len(sums)) > 1:
        counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        # all methods have the same images: sums order them as means do
        replicates = stats.rankdata(-tied(counts @ sums), axis=1)
        ends = [(1 - confidence) / 2, (1 + confidence) / 2]
        result[1:, ranked] = np.quantile(replicates, ends, axis=0, method="inverted_cdf")
    return result


def common(scores: Floats) -> tuple[Mask, Mask]:
    """Return which columns (m,) have any score, and in which rows (n,) all of these columns have one."""
    scored = np.asarray(~np.isnan(scores).all(axis=0))
    rows = np.asarray(~np.isnan(scores[:, scored]).any(axis=1))
    return scored, rows & scored.any()

"""Ranks of methods, and how sure they are."""

import numpy as np
from scipy import stats

from benchmarks.statistics.defined import Floats, tied
from benchmarks.statistics.intervals import RESAMPLES


def rank_intervals(scores: Floats, seed: int, confidence: float = 0.95) -> Floats:
    """Return every method's rank by mean score, 1 the best, with its percentile bootstrap interval over images.

    Methods are compared on the images that all of them have a score of. Ties, and means that only rounding tells apart,
    share their mean rank. The interval says
    how the order moves with the images drawn; where true means are equal it is wide but not guaranteed to cover (Xie,
    Singh and Zhang, "Confidence intervals for population ranks", JASA 104, 2009).

    Args:
        scores: (n, m), an image a row, higher is better; a column without any score has no rank and hides no image.
        seed: of the resamples.

    Returns:
        (3, m): rank, lower and upper bound; NaN without a common image, bounds NaN below two.
    """
    result = np.full((3, scores.shape[1]), np.nan)
    ranked = ~np.isnan(scores).all(axis=0)
    common = complete(scores[:, ranked])
    n = len(common)
    if n:
        result[0, ranked] = stats.rankdata(-tied(common.mean(axis=0, keepdims=True)))
    if n > 1:
        counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        replicates = stats.rankdata(-tied(counts @ common), axis=1)
        ends = [(1 - confidence) / 2, (1 + confidence) / 2]
        result[1:, ranked] = np.quantile(replicates, ends, axis=0, method="inverted_cdf")
    return result


def complete(scores: Floats) -> Floats:
    """Return the rows without NaN."""
    return scores[~np.isnan(scores).any(axis=1)]

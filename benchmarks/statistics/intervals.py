"""Bootstrap confidence intervals over images."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy import stats

from benchmarks.statistics.defined import Floats, columnwise

RESAMPLES = 2000
ELEMENTS_AT_ONCE = 2_000_000


def bca(values: Floats, seed: int, statistic: Callable[..., Floats] = np.mean, confidence: float = 0.95) -> Floats:
    """Return the bias-corrected and accelerated bootstrap interval of a statistic of every column.

    Efron, "Better bootstrap confidence intervals", JASA 82 (1987); computed by ``scipy.stats.bootstrap``. All columns
    with the same undefined rows share their resamples, so that a column's interval never depends on its neighbours.
    The true coverage falls short of the nominal 95 % on few images: in simulations (normal, Beta and their
    differences, 2000 each) it was 91 to 93 % on 20 images, 93 to 95 % on 32 and 50, 94 to 95 % on 100.

    Args:
        values: (n, m), an image a row; NaN where undefined, which is left out.
        seed: of the resamples.
        statistic: of ``(values, axis)``.
        confidence: nominal coverage.

    Returns:
        (2, m): lower and upper bound; NaN where there is none: fewer than two values, all equal, or a statistic that
        is undefined on a resample.
    """

    def bounds(defined: Floats) -> Floats:
        result = np.full((2, defined.shape[1]), np.nan)
        if len(defined) < 2:
            return result
        varied = np.ptp(defined, axis=0) > 0
        if varied.any():
            result[:, varied] = _bootstrap(defined[:, varied], seed, statistic, confidence)
        return np.where(np.isfinite(result), result, np.nan)

    return columnwise(values, bounds, rows=2)


def _bootstrap(values: Floats, seed: int, statistic: Callable[..., Floats], confidence: float) -> Floats:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # NaN bounds say it: equal resamples, or a spread over the one value that the jackknife leaves of two
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        result = stats.bootstrap(
            (values,),
            statistic,
            axis=0,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=max(1, ELEMENTS_AT_ONCE // values.size),
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    return np.stack(result.confidence_interval)

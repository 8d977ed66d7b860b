"""Bootstrap confidence intervals over images and over groups of images."""

import warnings
from collections.abc import Callable

import numpy as np

from heatmark.benchmarks.statistics.defined import Floats, columnwise, patterns
from heatmark.benchmarks.statistics.groups import Groups, group_sums

RESAMPLES = 2000
ELEMENTS_AT_ONCE = 2_000_000


def bca(values: Floats, seed: int, statistic: Callable[..., Floats] = np.mean, confidence: float = 0.95) -> Floats:
    """Return the bias-corrected and accelerated bootstrap interval of a statistic of every column.

    Efron, "Better bootstrap confidence intervals", JASA 82 (1987); computed by ``scipy.stats.bootstrap``. All columns
    with the same undefined rows share their resamples, so that a column's interval never depends on other columns.
    The true coverage falls short of the nominal 95 % on few images: in simulations (normal, Beta and their
    differences, 2000 each) it was 91 to 93 % on 20 images, 93 to 95 % on 32 and 50, 94 to 95 % on 100.

    Args:
        values: (n, m), one row per image; NaN where undefined, which is left out.
        seed: of the resamples.
        statistic: a function of ``(values, axis)``.
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
            result[:, varied] = _bootstrap((defined[:, varied],), seed, statistic, confidence)
        return np.where(np.isfinite(result), result, np.nan)

    return columnwise(values, bounds, rows=2)


def bca_of_groups(values: Floats, groups: Groups, seed: int, confidence: float = 0.95) -> Floats:
    """Return the BCa interval of the mean over images of every column; whole groups are resampled.

    The mean is ``Σ_g s_g / Σ_g n_g`` with the sums and sizes of the groups drawn; the acceleration is the jackknife's
    over groups. Where every image is a group of its own this is :func:`bca` of the mean. Davison and Hinkley,
    *Bootstrap Methods and their Application* (1997), section 3.8. The images of one group are alike, so that an
    interval over images would be too short; with few groups its coverage falls short of 95 %, as with few images.

    Args:
        values: (n, m), one row per image; NaN where undefined, which is left out.
        groups: (n,) number of the group of every image.
        seed: of the resamples.
        confidence: nominal coverage.

    Returns:
        (2, m): lower and upper bound; NaN where there is none: fewer than two groups, or all values equal.
    """
    result = np.full((2, values.shape[1]), np.nan)
    for defined, columns in patterns(values):
        chosen, codes = values[defined][:, columns], np.unique(groups[defined], return_inverse=True)[1]
        if len(chosen) and codes.max() > 0:
            result[:, columns] = _over_groups(chosen, codes, seed, confidence)
    return np.where(np.isfinite(result), result, np.nan)


def bca_of_ratios(numerators: Floats, denominators: Floats, groups: Groups, seed: int, confidence: float) -> Floats:
    """Return the BCa interval of Σ numerators / Σ denominators of every column; whole groups are resampled.

    Args:
        numerators: (n, m), one row per image, all defined.
        denominators: (n,), all defined.
        groups: (n,) number of the group of every image.
        seed: of the resamples.
        confidence: nominal coverage.

    Returns:
        (2, m): lower and upper bound; NaN where there is none: fewer than two groups, or all ratios equal.
    """
    result = np.full((2, numerators.shape[1]), np.nan)
    codes = np.unique(groups, return_inverse=True)[1]
    if len(codes) and codes.max() > 0:
        sums = group_sums(numerators, codes)
        sizes = np.broadcast_to(group_sums(denominators[:, None], codes), sums.shape)
        result = _bootstrap((sums, sizes), seed, _ratio, confidence)
    return np.where(np.isfinite(result), result, np.nan)


def _over_groups(values: Floats, groups: Groups, seed: int, confidence: float) -> Floats:
    result = np.full((2, values.shape[1]), np.nan)
    varied = np.ptp(values, axis=0) > 0
    if varied.any():
        sums = group_sums(values[:, varied], groups)
        sizes = np.broadcast_to(np.bincount(groups)[:, None].astype(np.float64), sums.shape)
        result[:, varied] = _bootstrap((sums, sizes), seed, _ratio, confidence)
    return result


def _ratio(sums: Floats, sizes: Floats, axis: int) -> Floats:
    ratio: Floats = sums.sum(axis=axis) / sizes.sum(axis=axis)
    return ratio


def _bootstrap(samples: tuple[Floats, ...], seed: int, statistic: Callable[..., Floats], confidence: float) -> Floats:
    from scipy import stats  # takes longer to import than a sweep to start

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # bounds are then NaN: resamples are all equal, or the jackknife leaves one value of two, which has no spread
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        result = stats.bootstrap(
            samples,
            statistic,
            axis=0,
            vectorized=True,
            paired=len(samples) > 1,
            n_resamples=RESAMPLES,
            batch=max(1, ELEMENTS_AT_ONCE // samples[0].size),
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    return np.stack(result.confidence_interval)

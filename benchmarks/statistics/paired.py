"""Tests of paired differences, and Holm's correction for several tests."""

from collections.abc import Callable

import numpy as np
from scipy import stats

from heatmark.benchmarks.statistics.defined import Floats


def wilcoxon(differences: Floats) -> Floats:
    """Return the two-sided p-value of Wilcoxon's signed-rank test of every column of differences.

    It is the default test for three reasons: a few images with extreme differences do not decide it, it is exact for
    small samples, and no number of resamples limits its p-values (a permutation test with B drawn sign flips has
    p ≥ 1/(B + 1), too large to stay significant after a correction over hundreds of pairs). It tests whether
    differences are symmetric about zero; where they are skewed it may disagree with the interval of the mean, which
    is what :func:`paired_t` tests.

    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945). Zero differences are left out
    (on hits and misses this is McNemar's test). It uses signs and ranks, not sizes: differences that are only rounding
    must be made zero first, as :func:`heatmark.benchmarks.statistics.pairwise.pairwise` does.

    Args:
        differences: (n, m), one row per image; NaN where undefined, which is left out.

    Returns:
        (m,); NaN where every difference is zero or undefined.
    """

    def p_value(column: Floats) -> float:
        informative = column[~np.isnan(column) & (column != 0)]
        return float(stats.wilcoxon(informative).pvalue) if len(informative) else np.nan

    return np.array([p_value(column) for column in differences.T], dtype=np.float64)


def paired_t(differences: Floats) -> Floats:
    """Return the two-sided p-value of the paired t-test of every column of differences.

    Args:
        differences: (n, m), one row per image; NaN where undefined, which is left out.

    Returns:
        (m,); NaN where there are fewer than two differences or all are equal.
    """

    def p_value(column: Floats) -> float:
        defined = column[~np.isnan(column)]
        varied = len(defined) > 1 and np.ptp(defined) > 0
        return float(stats.ttest_1samp(defined, 0.0).pvalue) if varied else np.nan

    return np.array([p_value(column) for column in differences.T], dtype=np.float64)


HYPOTHESES: dict[Callable[[Floats], Floats], str] = {
    wilcoxon: "paired differences are distributed symmetrically about 0",
    paired_t: "the mean of paired differences is 0",
}
"""The null hypothesis of each test."""


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for the number m of defined tests: ``p̃₍ᵢ₎ = max_{j≤i} min(1, (m − j + 1) p₍ⱼ₎)``.

    Controls the probability of any false rejection in the family, whatever the dependence of the tests. Holm, "A simple
    sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).

    Args:
        p_values: (m,); NaN stays NaN and counts as no test.
    """
    adjusted = np.full_like(p_values, np.nan)
    order = np.argsort(p_values, kind="stable")[: np.count_nonzero(~np.isnan(p_values))]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted

"""Effect sizes of paired differences, in units that do not depend on the metric."""

import numpy as np
from scipy import stats

from heatmark.benchmarks.statistics.defined import Floats


def cohen_dz(differences: Floats, axis: int = 0) -> Floats:
    """Return the standardised mean difference ``d_z = mean(d) / sd(d)`` (n − 1 in the denominator of the variance).

    Cohen, *Statistical Power Analysis for the Behavioral Sciences* (1988), section 2.3.5. The
    differences hold no NaN; the result is NaN or infinite where all of them are equal.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = differences.mean(axis=axis) / differences.std(axis=axis, ddof=1)
    return ratio


def rank_biserial(differences: Floats, confidence: float = 0.95) -> Floats:
    """Return the matched-pairs rank-biserial correlation of every column, and its interval.

    ``r = (R⁺ − R⁻) / (R⁺ + R⁻)`` with the signed-rank sums of the non-zero differences (Kerby, "The simple difference
    formula", Comprehensive Psychology 3, 2014). It equals the mean sign of all Walsh sums ``dᵢ + dⱼ, i ≤ j``, a
    U-statistic but for its diagonal; its interval is that of Fisher's z with the U-statistic's asymptotic standard
    error ``2 sd(h)/√n``, ``hᵢ = meanⱼ sign(dᵢ + dⱼ)`` (Hoeffding 1948).

    Args:
        differences: (n, m), one row per image; NaN where undefined. NaN and zeros are left out.
        confidence: nominal coverage.

    Returns:
        (3, m): r in [−1, 1], lower and upper bound. NaN without a non-zero difference; no bounds where all
        differences have one sign.
    """
    columns = [_rank_biserial(column[~np.isnan(column) & (column != 0)], confidence) for column in differences.T]
    return np.array(columns, dtype=np.float64).reshape(-1, 3).T


def _rank_biserial(nonzero: Floats, confidence: float) -> tuple[float, float, float]:
    n = len(nonzero)
    if n == 0:
        return np.nan, np.nan, np.nan
    ordered = np.sort(nonzero)
    below, not_above = (np.searchsorted(ordered, -nonzero, side=side) for side in ("left", "right"))
    signs = n - not_above - below
    r = float((signs + np.sign(nonzero)).sum() / (n * (n + 1)))
    if n < 2 or abs(r) == 1:
        return r, np.nan, np.nan
    error = 2 * (signs / n).std(ddof=1) / np.sqrt(n)
    reach = stats.norm.ppf((1 + confidence) / 2) * error / (1 - r**2)
    return r, float(np.tanh(np.arctanh(r) - reach)), float(np.tanh(np.arctanh(r) + reach))

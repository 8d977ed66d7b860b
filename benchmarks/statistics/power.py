"""Sample sizes: the number of images with which a paired t-test finds the difference of two methods."""

import numpy as np
import pandas as pd
from scipy import stats

from heatmark.benchmarks.statistics.defined import Floats

MANY = 1e6
"""Number of images above which the normal distribution replaces the t distribution."""


def paired_t_power(d_z: Floats, n: Floats, alpha: float | Floats = 0.05) -> Floats:
    """Return the probability that the two-sided paired t-test of n images finds an effect of size d_z.

    ``P(T² > t²)``: T² has the noncentral F distribution with 1 and n − 1 degrees of freedom and noncentrality
    ``n d_z²``, t is the critical value; differences are assumed to be normal. (SciPy's noncentral t distribution, which
    gives the same probability, is NaN in the far tail of a large effect.)

    Args:
        d_z: (m,) standardised mean differences.
        n: (m,) numbers of images, two or more.
        alpha: significance level of one test, or (m,) of each.
    """
    critical = stats.t.isf(alpha / 2, n - 1)
    power: Floats = stats.ncf.sf(critical**2, 1, n - 1, n * d_z**2)
    return power


def images_to_separate(d_z: Floats, power: float = 0.8, alpha: float | Floats = 0.05) -> Floats:
    """Return the fewest images (two or more) with which the paired t-test finds an effect with the power asked for.

    Above a million images by the normal approximation ``((z_{1−α/2} + z_power) / d_z)²``.

    Args:
        d_z: (m,) standardised mean differences.
        power: probability to find the effect, above ``alpha``.
        alpha: significance level of one test, or (m,) of each; divide by the number of tests for Bonferroni's (and, on
            the safe side, Holm's).

    Returns:
        (m,) whole numbers; infinite for an effect of 0, NaN for NaN.
    """
    effect = np.abs(np.asarray(d_z, dtype=np.float64))
    level = np.broadcast_to(np.asarray(alpha, dtype=np.float64), effect.shape)
    z = stats.norm.isf(level / 2)
    with np.errstate(divide="ignore", over="ignore"):
        needed: Floats = np.ceil(((z + stats.norm.ppf(power)) / effect) ** 2)
    few = needed < MANY
    low, high = np.full(few.sum(), 2.0), needed[few] + np.ceil(z[few] ** 2) + 10
    while (low < high).any():
        middle = (low + high) // 2
        enough = paired_t_power(effect[few], middle, level[few]) >= power
        low, high = np.where(enough, low, np.minimum(middle + 1, high)), np.where(enough, middle, high)
    needed[few] = high
    return needed


def images_needed(pairs: pd.DataFrame, power: float = 0.8, alpha: float = 0.05) -> pd.DataFrame:
    """Return a table of pairs with the number of images (or groups) that a paired t-test needs for each.

    Every pair is planned at Bonferroni's level, ``alpha`` over the comparison's ``n_pairs``: on the safe side for
    Holm's correction, which tests the smallest p-value at that level and the others at larger ones. The plan is the
    t-test's, as no effect size alone gives the power of Wilcoxon's test, whose p-values the table holds. The two
    are close: relative to the t-test Wilcoxon's has the asymptotic efficiency 3/π = 0.955 where differences are
    normal (it takes 5 % more images), never less than 0.864 where they are symmetric (16 % more), and above 1 for
    heavy tails (Hodges and Lehmann, "The efficiency of some nonparametric competitors of the t-test", Annals of
    Mathematical Statistics 27, 1956).

    The observed effect is an estimate, so its interval gives a range: for planning, take the upper end. An effect whose
    interval holds 0 may need any number of images.

    Args:
        pairs: as :func:`heatmark.benchmarks.statistics.pairwise.pairwise` returns it.
        power: probability to find each effect.
        alpha: family-wise significance level of the pairs of one comparison.

    Returns:
        The pairs' columns; ``planned_for`` (``paired t-test``), its ``power`` and ``alpha`` (of one pair); ``needed``,
        the number of images or groups, as the column ``unit`` says, for the observed d_z; ``needed_low``,
        ``needed_high`` for the ends of its interval that are farthest from and nearest to 0 (infinite where it holds
        0), as ``needed_interval`` says; ``enough`` (the pair has as many).
    """
    d_z, low, high = (pairs[name].to_numpy(dtype=np.float64) for name in ("d_z", "d_z_low", "d_z_high"))
    nearest = np.where(low * high <= 0, 0.0, np.minimum(np.abs(low), np.abs(high)))
    nearest = np.where(np.isnan(low), np.nan, nearest)
    each = alpha / pairs["n_pairs"].to_numpy(dtype=np.float64)
    needed = images_to_separate(d_z, power, each)
    return pairs.assign(
        planned_for="paired t-test",
        power=power,
        alpha=each,
        needed=needed,
        needed_low=images_to_separate(np.maximum(np.abs(low), np.abs(high)), power, each),
        needed_high=images_to_separate(nearest, power, each),
        needed_interval="from the ends of the BCa interval of d_z",
        enough=pairs["n_groups"].to_numpy() >= needed,
    )

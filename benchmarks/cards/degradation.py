"""Degradation: whether a metric's scores fall as more and more of a map is shuffled among its pixels."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from heatmark.benchmarks.cards.order import ALPHA, one_sided
from heatmark.benchmarks.cards.variants import FAILS, PASSES, SHARES, Judged, Variant, Verdict, said, untestable
from heatmark.benchmarks.statistics.defined import Floats, tied
from heatmark.benchmarks.statistics.paired import holm

MOST = 0.1
"""The largest rise of the mean from a step to a later one, relative to the range of the means, that counts as level:
what has fallen as low as it can goes up and down by chance. The limit is ours."""


class Rise(NamedTuple):
    """Two steps, in per cent that are shuffled, the second with better scores, and what speaks for that: the share of
    the range of the means, or Holm's p-value."""

    low: int
    high: int
    size: float


class Fall(NamedTuple):
    """How the scores of one method's maps go down: Page's p-value, the largest rise of the mean, the surest rise of
    images' scores, and the number of images."""

    method: str
    p_value: float
    mean: Rise
    surest: Rise
    n: int

    @property
    def rises(self) -> bool:
        """Whether more shuffling makes any score better for sure."""
        return self.surest.size < ALPHA

    @property
    def holds(self) -> bool:
        """Whether images agree that scores fall, the mean hardly rises, and no two steps rise for sure."""
        return self.p_value < ALPHA and self.mean.size <= MOST and not self.rises

    @property
    def because(self) -> str:
        """What speaks against it, in words."""
        if self.rises:
            low, high, p_value = self.surest
            return f"it rises as more of {self.method}'s maps is shuffled, from {low} to {high} %, {said(p_value)}"
        if self.mean.size > MOST:
            low, high, size = self.mean
            return (
                f"its mean rises as more of {self.method}'s maps is shuffled, from {low} to {high} %, by {size:.0%} of "
                f"its range (limit {MOST:.0%})"
            )
        return f"it does not fall as {self.method}'s maps are shuffled, Page's test: {said(self.p_value)}"

    def __str__(self) -> str:
        if self.rises:
            return f"{self.method}: up from {self.surest.low} to {self.surest.high} %, {said(self.surest.size)}"
        return f"{self.method}: {said(self.p_value)}, mean rises by {self.mean.size:.0%} of its range"


def degradation(judged: Judged) -> Verdict:
    """Return whether scores fall as 0, 10, 20, 40, 60, 80, 100 % of a map's values are shuffled.

    For each real method Page's trend test over images must reject at 5 % (Holm's correction over methods), the mean
    must not rise from a step to a later one by more than 10 % of its range, and no step may be above an earlier one
    (one-sided Wilcoxon tests of all 21 pairs, Holm's correction over pairs, then over methods). The figure is the
    weakest method's rise of the mean.

    Page, "Ordered hypotheses for multiple treatments", JASA 58 (1963).
    """
    if (no := untestable(judged, "degradation", ())) is not None:
        return no
    falls = [fall(judged, method) for method in judged.methods]
    trends, rises = (holm(np.array(each)) for each in zip(*((f.p_value, f.surest.size) for f in falls), strict=True))
    falls = [
        each._replace(p_value=float(trend), surest=each.surest._replace(size=float(rise)))
        for each, trend, rise in zip(falls, trends, rises, strict=True)
    ]
    weakest = max(falls, key=lambda each: (not each.holds, each.mean.size, each.p_value))
    failed = sum(not each.holds for each in falls)
    more = f" (+{failed - 1})" if failed > 1 else ""
    return Verdict(
        "degradation",
        FAILS if failed else PASSES,
        f"{weakest}{more}",
        weakest.mean.size,
        "rise / range",
        weakest.surest.size if weakest.rises else weakest.p_value,
        weakest.n,
        "; ".join(map(str, falls)),
        weakest.because if failed else "",
    )


def fall(judged: Judged, method: str) -> Fall:
    """Return how the scores of a method's maps go down with the share that is shuffled."""
    steps = [Variant("real", method), *(Variant("shuffled", method, share) for share in SHARES)]
    scores = np.stack([judged.oriented(step) for step in steps], axis=1)
    scores = scores[~np.isnan(scores).any(axis=1)]
    means = tied(scores.mean(axis=0, keepdims=True))[0] if len(scores) else np.zeros(1)
    if len(scores) < 2 or np.ptp(means) == 0:
        return Fall(method, 1.0, Rise(0, 0, 0.0), Rise(0, 0, 1.0), len(scores))
    scores = tied(scores)
    return Fall(method, page(scores), risen(means), surest(scores), len(scores))


def risen(means: Floats) -> Rise:
    """Return the two steps of means (7,) between which they rise most, as a share of their range.

    >>> risen(np.array([0.9, 0.7, 0.75, 0.5, 0.4, 0.4, 0.4]))
    Rise(low=10, high=20, size=0.1)
    """
    shares = (0, *SHARES)
    low, high = max(combinations(range(len(shares)), 2), key=lambda pair: means[pair[1]] - means[pair[0]])
    size = max(0.0, float(means[high] - means[low])) / float(np.ptp(means))
    return Rise(shares[low], shares[high], round(size, 6))


def page(scores: Floats) -> float:
    """Return the p-value of Page's test that scores (images, steps) fall from step to step, by its normal limit."""
    from scipy import stats

    return float(stats.page_trend_test(scores[:, ::-1], method="asymptotic").pvalue)


def surest(scores: Floats) -> Rise:
    """Return the two steps of scores (images, 7) of which the later one is most surely above the earlier one."""
    pairs = list(combinations(range(len(SHARES) + 1), 2))
    adjusted = holm(np.array([one_sided(scores[:, later] - scores[:, earlier]) for earlier, later in pairs]))
    best = int(adjusted.argmin())
    earlier, later = pairs[best]
    shares = (0, *SHARES)
    return Rise(shares[earlier], shares[later], float(adjusted[best]))

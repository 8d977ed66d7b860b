"""Degradation: whether a metric's mean falls as more and more of a map is shuffled among its pixels."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from heatmark.benchmarks.cards.order import ALPHA, one_sided
from heatmark.benchmarks.cards.variants import FAILS, PASSES, SHARES, Judged, Variant, Verdict, said, untestable
from heatmark.benchmarks.statistics.defined import Floats, tied
from heatmark.benchmarks.statistics.paired import holm

CUTOFF = -0.9
"""The largest Spearman correlation of step and mean that counts as falling: of seven steps, at most two pairs of
neighbours have changed places."""


class Rise(NamedTuple):
    """The two steps, in per cent that are shuffled, between which scores rise most surely, and Holm's p-value."""

    low: int
    high: int
    p_value: float


class Fall(NamedTuple):
    """How the scores of one method's maps go down: Spearman's ρ of step and mean, Page's p-value, what speaks against
    it, and the number of images."""

    method: str
    rho: float
    p_value: float
    rise: Rise
    n: int

    @property
    def rises(self) -> bool:
        """Whether more shuffling makes any score better."""
        return self.rise.p_value < ALPHA

    @property
    def holds(self) -> bool:
        """Whether the mean falls, images agree on it, and no two steps rise."""
        return self.rho <= CUTOFF and self.p_value < ALPHA and not self.rises

    def __str__(self) -> str:
        if self.rises:
            return f"{self.method}: up from {self.rise.low} to {self.rise.high} %, {said(self.rise.p_value)}"
        return f"{self.method}: ρ = {self.rho:+.2f}, {said(self.p_value)}"


def degradation(judged: Judged) -> Verdict:
    """Return whether the mean score falls as 0, 10, 20, 40, 60, 80, 100 % of a map's values are shuffled.

    For each real method Spearman's correlation of step and mean must be at most −0.9, Page's trend test over images
    must reject at 5 % (Holm's correction over methods), and no step may be above an earlier one (one-sided Wilcoxon
    tests of all 21 pairs, Holm). Page, "Ordered hypotheses for multiple treatments", JASA 58 (1963). The figure is the
    weakest method's correlation.
    """
    if (no := untestable(judged, "degradation", ())) is not None:
        return no
    falls = [fall(judged, method) for method in judged.methods]
    adjusted = holm(np.array([each.p_value for each in falls]))
    falls = [each._replace(p_value=float(p)) for each, p in zip(falls, adjusted, strict=True)]
    weakest = max(falls, key=lambda each: (not each.holds, each.rho, each.p_value))
    failed = sum(not each.holds for each in falls)
    more = f" (+{failed - 1})" if failed > 1 else ""
    return Verdict(
        "degradation",
        FAILS if failed else PASSES,
        f"{weakest}{more}",
        weakest.rho,
        "Spearman",
        weakest.rise.p_value if weakest.rises else weakest.p_value,
        weakest.n,
        "; ".join(f"{each} (ρ = {each.rho:+.2f})" if each.rises else str(each) for each in falls),
    )


def fall(judged: Judged, method: str) -> Fall:
    """Return how the scores of a method's maps go down with the share that is shuffled; ρ = 0 where none moves."""
    from scipy import stats  # takes longer to import than a card to be read

    steps = [Variant("real", method), *(Variant("shuffled", method, share) for share in SHARES)]
    scores = np.stack([judged.oriented(step) for step in steps], axis=1)
    scores = scores[~np.isnan(scores).any(axis=1)]
    means = tied(scores.mean(axis=0, keepdims=True))[0] if len(scores) else np.zeros(1)
    if len(scores) < 2 or np.ptp(means) == 0:
        return Fall(method, 0.0, 1.0, Rise(0, 0, 1.0), len(scores))
    scores = tied(scores)
    rho = float(stats.spearmanr(range(len(means)), means).statistic)
    return Fall(method, rho, page(scores), rise(scores), len(scores))


def page(scores: Floats) -> float:
    """Return the p-value of Page's test that scores (images, steps) fall from step to step, by its normal limit."""
    from scipy import stats

    return float(stats.page_trend_test(scores[:, ::-1], method="asymptotic").pvalue)


def rise(scores: Floats) -> Rise:
    """Return the two steps of scores (images, 7) of which the later one is most surely above the earlier one."""
    pairs = list(combinations(range(len(SHARES) + 1), 2))
    adjusted = holm(np.array([one_sided(scores[:, later] - scores[:, earlier]) for earlier, later in pairs]))
    best = int(adjusted.argmin())
    earlier, later = pairs[best]
    shares = (0, *SHARES)
    return Rise(shares[earlier], shares[later], float(adjusted[best]))

"""Degradation: whether a metric's mean falls as more and more of a map is shuffled among its pixels."""

from typing import NamedTuple

import numpy as np

from heatmark.benchmarks.cards.order import ALPHA
from heatmark.benchmarks.cards.variants import FAILS, PASSES, SHARES, Judged, Variant, Verdict, said, untestable
from heatmark.benchmarks.statistics.defined import Floats, tied
from heatmark.benchmarks.statistics.paired import holm

CUTOFF = -0.9
"""The largest Spearman correlation of step and mean that counts as falling: two neighbours of seven may change
places twice."""


class Fall(NamedTuple):
    """How the scores of one method's maps go down: Spearman's ρ of step and mean, p-value of Page's test, images."""

    method: str
    rho: float
    p_value: float
    n: int

    @property
    def holds(self) -> bool:
        """Whether the mean falls, and images agree on it."""
        return self.rho <= CUTOFF and self.p_value < ALPHA

    def __str__(self) -> str:
        return f"{self.method}: ρ = {self.rho:+.2f}, {said(self.p_value)}"


def degradation(judged: Judged) -> Verdict:
    """Return whether the mean score falls as 0, 10, 20, 40, 60, 80, 100 % of a map's values are shuffled.

    For each real method Spearman's ρ of the step and the mean score must be at most −0.9, and Page's trend test over
    images must reject at 5 % (Holm's correction over methods). Page, "Ordered hypotheses for multiple treatments",
    JASA 58 (1963). The figure is the weakest ρ.
    """
    if (no := untestable(judged, "degradation", ())) is not None:
        return no
    falls = [fall(judged, method) for method in judged.methods]
    adjusted = holm(np.array([each.p_value for each in falls]))
    falls = [each._replace(p_value=float(p)) for each, p in zip(falls, adjusted, strict=True)]
    weakest = max(falls, key=lambda each: (not each.holds, each.rho, each.p_value))
    failed = sum(not each.holds for each in falls)
    more = f" (+{failed - 1} methods)" if failed > 1 else ""
    return Verdict(
        "degradation",
        FAILS if failed else PASSES,
        f"{weakest}{more}",
        weakest.rho,
        "Spearman",
        weakest.p_value,
        weakest.n,
        "; ".join(map(str, falls)),
    )


def fall(judged: Judged, method: str) -> Fall:
    """Return how the scores of a method's maps go down with the share that is shuffled; ρ = 0 where none moves."""
    from scipy import stats  # takes longer to import than a card to be read

    steps = [Variant("real", method), *(Variant("shuffled", method, share) for share in SHARES)]
    scores = np.stack([judged.oriented(step) for step in steps], axis=1)
    scores = scores[~np.isnan(scores).any(axis=1)]
    if len(scores) < 2:
        return Fall(method, 0.0, 1.0, len(scores))
    scores = tied(scores)
    means = tied(scores.mean(axis=0, keepdims=True))[0]
    if np.ptp(means) == 0:
        return Fall(method, 0.0, 1.0, len(scores))
    rho = float(stats.spearmanr(range(len(means)), means).statistic)
    return Fall(method, rho, page(scores), len(scores))


def page(scores: Floats) -> float:
    """Return the p-value of Page's test that scores (images, steps) fall from step to step, by its normal limit."""
    from scipy import stats

    return float(stats.page_trend_test(scores[:, ::-1], method="asymptotic").pvalue)

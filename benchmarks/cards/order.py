"""Order: whether a metric puts ground truth and real maps above random ones, and random ones above inverted ones."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from heatmark.benchmarks.cards.variants import (
    FAILS,
    PASSES,
    RANDOM,
    TRUTH,
    Judged,
    Variant,
    Verdict,
    said,
    untestable,
)
from heatmark.benchmarks.statistics.defined import Floats
from heatmark.benchmarks.statistics.paired import holm

ALPHA = 0.05
"""Level of every card's tests, after Holm's correction; the choice is ours."""

FEWEST = 6
"""Pictures with a mask of the class explained from which on the truth is judged: four cannot reach 5 % whatever they
show, and Holm's correction asks for more. The number is ours."""


class Step(NamedTuple):
    """One step of the order: the images on which the first map is better, worse, and Holm's p-value."""

    better: Variant
    worse: Variant
    above: int
    below: int
    n: int
    p_value: float

    @property
    def holds(self) -> bool:
        """Whether the step is shown."""
        return self.p_value < ALPHA

    @property
    def because(self) -> str:
        """What is not shown, in words."""
        equal = self.n - self.above - self.below
        of = f"{self.above} of {self.n} pictures{f', equal on {equal}' if equal else ''}"
        return f"it does not rank {self.better} above {self.worse}: above on {of}, {said(self.p_value)}"

    def __str__(self) -> str:
        pair = f"{self.better} > {self.worse}"
        if self.n and self.above == self.below == 0:
            return f"{pair}: all {self.n} equal"
        equal = self.n - self.above - self.below
        return f"{pair}: {self.above}/{self.n}{f', {equal} equal' if equal else ''}, {said(self.p_value)}"


def order(judged: Judged) -> Verdict:
    """Return whether truth > random, real > random and random > inverted hold on paired images, for each real method.

    Each step is a one-sided Wilcoxon signed-rank test of the images' differences at 5 %, with Holm's correction over
    these steps. Without masks on six pictures the truth is left out. The figure is the weakest step's share of images.

    The details tell of two steps that are not judged. Truth > real: the pixels that move a prediction most need not
    fill the object, and under a metric of placement the truth is the best map by definition. Random > inverted under a
    metric of placement: it asks where relevance lies, not of which sign, and both signs may lie on the object.
    """
    if (no := untestable(judged, "order")) is not None:
        return no
    steps = tested(judged, _required(judged))
    weakest = max(steps, key=lambda step: (step.p_value, step.below - step.above))
    without = "" if judged.count(TRUTH) >= FEWEST else "; too few masks" if judged.has(TRUTH) else "; no masks"
    failed = [step for step in steps if not step.holds]
    few = _too_few(steps)
    more = f" (+{len(failed) - 1})" if len(failed) > 1 else ""
    return Verdict(
        "order",
        FAILS if failed else PASSES,
        f"{weakest}{more}{without}{few}",
        weakest.above / weakest.n if weakest.n else float("nan"),
        "share of images",
        weakest.p_value,
        weakest.n,
        "; ".join([*map(str, steps), *(f"{step} (not judged)" for step in tested(judged, _told(judged)))]),
        f"{weakest.because}{few}" if failed else "",
    )


def _too_few(steps: Sequence[Step]) -> str:
    """Return that no outcome on so many pictures could show these steps, and how many could; ``""`` where one could.

    The least p-value on n pictures is 1 / 2ⁿ, and Holm's correction multiplies it with the number of steps.
    """
    needed = next(n for n in count(1) if len(steps) / 2**n < ALPHA)
    return f"; too few pictures, {needed} needed" if min((step.n for step in steps), default=needed) < needed else ""


def tested(judged: Judged, asked: Iterable[tuple[Variant, Variant]]) -> list[Step]:
    """Return those steps, of a better and a worse variant, that have scores, with Holm's p-values over them."""
    pairs = [pair for pair in asked if all(map(judged.has, pair))]
    differences = [judged.differences(*pair) for pair in pairs]
    if not pairs:
        return []
    adjusted = holm(np.array([one_sided(each) for each in differences]))
    return [
        Step(*pair, int((d > 0).sum()), int((d < 0).sum()), len(d), float(p))
        for pair, d, p in zip(pairs, differences, adjusted, strict=True)
    ]


def _required(judged: Judged) -> Iterator[tuple[Variant, Variant]]:
    """Yield the steps that every metric with a direction must show."""
    if judged.count(TRUTH) >= FEWEST:
        yield TRUTH, RANDOM
    for method in judged.methods:
        yield Variant("real", method), RANDOM
        if not judged.placement:
            yield RANDOM, Variant("inverted", method)


def _told(judged: Judged) -> Iterator[tuple[Variant, Variant]]:
    """Yield the steps that are told and not judged."""
    for method in judged.methods:
        yield TRUTH, Variant("real", method)
        if judged.placement:
            yield RANDOM, Variant("inverted", method)


def one_sided(differences: Floats) -> float:
    """Return the p-value of Wilcoxon's signed-rank test that differences are above 0; 1 where all are 0."""
    from scipy import stats  # takes longer to import than a card to be read

    informative = differences[differences != 0]
    return float(stats.wilcoxon(informative, alternative="greater").pvalue) if len(informative) else 1.0

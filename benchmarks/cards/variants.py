"""Variants of maps of which it is known how a metric should order them, and a metric's scores of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from heatmark.benchmarks.statistics.defined import Floats, tolerance

SHARES = (10, 20, 40, 60, 80, 100)
"""Per cent of a map's values that are shuffled among their pixels, in steps."""
FACTOR = 100
"""What a map is multiplied with to see whether a score depends on its scale."""


class Variant(NamedTuple):
    """What was done to which map.

    Args:
        kind: ``truth`` (the mask of the class explained), ``real``, ``random``, ``inverted``, ``shuffled``, ``scaled``
            (× 100) or ``shifted`` (+ its largest absolute value).
        of: the method's name, ``""`` for truth and random.
        share: per cent of the values that are shuffled, else 0.
    """

    kind: str
    of: str = ""
    share: int = 0

    def __str__(self) -> str:
        if self.kind == "shuffled":
            return f"{self.of} shuffled {self.share} %"
        if self.kind == "inverted":
            return f"−{self.of}"
        return f"{self.of} {self.kind}".strip() if self.kind != "real" else self.of


TRUTH, RANDOM = Variant("truth"), Variant("random")


@dataclass(frozen=True)
class Judged:
    """The scores that one metric gave to all variants.

    Args:
        metric: its name.
        higher_is_better: its direction; None for a metric that ranks nothing.
        values: (n,) by variant, an image's score, NaN where undefined.
        again: the same call of some variants once more, as ``values``.
        reseeded: these variants with another seed of everything that is drawn.
        reason: why most of the undefined values are; ``""`` where none is.
        invariant: ``scaled``, ``shifted``, by which the metric's definition says that no score moves.
        placement: whether the metric compares maps with the mask, so that the truth is the best map by definition, and
            an inverted map that has relevance of both signs on the object is as good as the map.
        definition: the id of its definition, as in a run's tables.
    """

    metric: str
    higher_is_better: bool | None
    values: Mapping[Variant, Floats]
    again: Mapping[Variant, Floats] = field(default_factory=dict)
    reseeded: Mapping[Variant, Floats] = field(default_factory=dict)
    reason: str = ""
    invariant: frozenset[str] = frozenset()
    placement: bool = False
    definition: str = ""

    @property
    def methods(self) -> list[str]:
        """Names of the real methods with a score of any image."""
        return [v.of for v in self.values if v.kind == "real" and self.has(v)]

    @property
    def descriptive(self) -> bool:
        """Whether the metric ranks nothing."""
        return self.higher_is_better is None

    def has(self, variant: Variant) -> bool:
        """Return whether any image of a variant has a score."""
        return variant in self.values and bool((~np.isnan(self.values[variant])).any())

    def count(self, variant: Variant) -> int:
        """Return how many images of a variant have a score."""
        return int((~np.isnan(self.values[variant])).sum()) if variant in self.values else 0

    def oriented(self, variant: Variant) -> Floats:
        """Return the scores of a variant, higher is better, (n,)."""
        return -self.values[variant] if self.higher_is_better is False else self.values[variant]

    def differences(self, better: Variant, worse: Variant) -> Floats:
        """Return score by score how much better one variant is, (n',), defined ones alone; rounding counts as 0."""
        pair = np.stack([self.oriented(better), self.oriented(worse)])
        found = (pair[0] - pair[1])[~np.isnan(pair).any(axis=0)]
        return np.where(np.abs(found) <= tolerance(pair), 0.0, found)

    @property
    def spread(self) -> float:
        """The range of the mean scores of the real and the random maps; 0 where there are not two."""
        ranked = [v for v in (*(Variant("real", m) for m in self.methods), RANDOM) if self.has(v)]
        means = [float(np.nanmean(self.values[v])) for v in ranked]
        return max(means) - min(means) if means else 0.0


PASSES, FAILS, NOT_APPLICABLE = "passes", "fails", "not applicable"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one test of one metric.

    Args:
        test: its name.
        verdict: ``passes``, ``fails`` or ``not applicable``.
        sentence: what was found, in some 55 letters; of several parts the weakest.
        figure: the number that the verdict rests on, NaN where there is none.
        unit: what the number is.
        p_value: of the test's weakest part, NaN where nothing is tested.
        n: number of images that it rests on.
        details: all parts of the test, where it has several.
        because: one sentence that says why it fails, with its figures; ``""`` where it does not. "It" is the metric.
    """

    test: str
    verdict: str
    sentence: str
    figure: float = float("nan")
    unit: str = ""
    p_value: float = float("nan")
    n: int = 0
    details: str = ""
    because: str = ""


def not_applicable(test: str, why: str) -> Verdict:
    """Return the outcome of a test that cannot be made."""
    return Verdict(test, NOT_APPLICABLE, why)


def said(p_value: float) -> str:
    """Return a p-value in words.

    >>> said(0.0312), said(1e-6)
    ('p = .031', 'p < .001')
    """
    if np.isnan(p_value):
        return "no p"
    return "p < .001" if p_value < 0.001 else f"p = {p_value:.3f}".replace("0.", ".")


def untestable(judged: Judged, test: str, needed: Sequence[Variant] = (RANDOM,)) -> Verdict | None:
    """Return why a test of a metric's direction cannot be made; None where it can."""
    if judged.descriptive:
        return not_applicable(test, "the metric describes maps and ranks none")
    if not judged.methods or not all(judged.has(variant) for variant in needed):
        return not_applicable(test, f"no value: {judged.reason or 'undefined'}")
    return None

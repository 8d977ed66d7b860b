"""Separation: the number of images with which a metric tells a random map from a real one."""

from typing import NamedTuple

import numpy as np

from heatmark.benchmarks.cards.order import ALPHA
from heatmark.benchmarks.cards.variants import FAILS, PASSES, RANDOM, Judged, Variant, Verdict, not_applicable
from heatmark.benchmarks.statistics.effects import cohen_dz
from heatmark.benchmarks.statistics.power import images_to_separate

POWER = 0.8
"""Probability with which the images are to find the difference; the choice is ours."""


def separation(judged: Judged) -> Verdict:
    """Return whether the images at hand are enough to tell each real method's maps from random ones.

    ``d_z = mean(d) / sd(d)`` of an image's difference d gives the number of images with which a paired t-test at 5 %
    finds it with a power of 80 %. A difference against the metric's direction fails, whatever its size. The figure is
    the largest number of images over the real methods; infinite where the means are equal.
    """
    if not judged.methods or not judged.has(RANDOM):
        return not_applicable("separation", f"no value: {judged.reason or 'undefined'}")
    found = [effect(judged, method) for method in judged.methods]
    weakest = max(found, key=lambda each: (each.below, each.needed))
    fails = weakest.below or weakest.needed > weakest.n
    return Verdict(
        "separation", FAILS if fails else PASSES, str(weakest), weakest.needed, "images", n=weakest.n,
        details="; ".join(map(str, found)), because=weakest.because if fails else "",
    )  # fmt: skip


class Effect(NamedTuple):
    """How a method's maps differ from random ones: d_z, whether that is against the metric's direction, the number of
    images that finds it, and how many there are."""

    method: str
    d_z: float
    below: bool
    needed: float
    n: int

    @property
    def because(self) -> str:
        """What is not told apart, in words."""
        if self.below:
            return f"it ranks {self.method} below random maps (d_z = {self.d_z:+.2f}, {self.n} pictures)"
        count = f"{self.needed:.0f}" if np.isfinite(self.needed) else "∞"
        return (
            f"it does not tell random maps from {self.method}'s: d_z = {self.d_z:+.2f} takes {count} pictures, "
            f"there are {self.n}"
        )

    def __str__(self) -> str:
        where = "below random, " if self.below else ""
        count = f"{self.needed:.0f}" if np.isfinite(self.needed) else "∞"
        return f"{self.method}: {where}d_z = {self.d_z:+.2f}, {count} images"


def effect(judged: Judged, method: str) -> Effect:
    """Return how a method's maps differ from random ones under a metric."""
    found = judged.differences(Variant("real", method), RANDOM)
    if len(found) < 2 or not found.any():
        return Effect(method, 0.0, False, float("inf"), len(found))
    d_z = float(cohen_dz(found)) if np.ptp(found) > 0 else float(np.sign(found[0])) * np.inf
    needed = 2.0 if np.isinf(d_z) else float(images_to_separate(np.array([d_z]), POWER, ALPHA)[0])
    return Effect(method, d_z, d_z < 0 and not judged.descriptive, needed, len(found))

"""The base class of deletion and insertion: their options, presets, path and sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, CurveMetric, Scores
from heatmark.metrics.engine.paths import PixelPath
from heatmark.metrics.engine.perturbation import area
from heatmark.metrics.engine.ties import find_tie_order
from heatmark.metrics.protocols import PRESETS

NO_ORDER = "the map holds NaN and ranks no pixel"
RULES = {"trapezoid": "area under the curve", "mean": "mean of the curve's points"}


@dataclass(frozen=True)
class PixelFlipping(CurveMetric):
    """The area under the target's probability while pixels are exchanged for a baseline's, most relevant first.

    The preset ``rise-2018`` is the paper's code: it perturbs all channels of a pixel at once and as many pixels per
    step as an image row has (224 at 224 × 224), includes both end points, takes the area over the exact fractions of
    pixels, and perturbs pixels of equal value in raster order. The default ``heatmark-1`` differs in one option: pixels
    of equal value come in an order drawn for each image. In raster order a map that is constant on most of its area, as
    a CAM after a ReLU is, perturbs that area from top to bottom. Protocols of other packages (Quantus, LATEC) differ in
    the order, the steps or the summary.

    Two metrics with the same values of all options are equal, whichever preset they were built from. Their ``preset``
    is the one from which the fewest options differ.

    Args:
        steps: number of steps K of the curve, which has K + 1 points; None means the number of image rows.
        baseline: ``blur``, ``mean`` or ``zero``; see :mod:`heatmark.metrics.engine.baselines`.
        preset: name of the protocol, which gives the values of options that are None; see
            :mod:`heatmark.metrics.protocols`.
        ties: order of pixels of equal value: ``drawn``, ``raster`` or ``reversed``; see
            :mod:`heatmark.metrics.engine.ties`. None means the preset's.
        seed: seed of the drawn order, which also depends on the image's own pixels; 0 if the order is not drawn.
        tie_orders: number of drawn orders that bound the value, beside raster order and its reverse; 0 requests no
            bounds. It does not change the metric's value. Each order other than the metric's own costs another curve.
            In general the bounds are not the extremes over all orders: an order of scattered single pixels may score
            outside them.
        rule: how the curve is summed up: ``trapezoid`` (the area) or ``mean`` (the mean of its points). None means the
            preset's.

    Raises:
        ValueError: if a baseline, preset, order or rule is unknown (the message names the nearest), or ``steps`` or
            ``tie_orders`` is out of range. When called: if an image has fewer pixels than ``steps``.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1.
    """

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = PRESETS
    direction: ClassVar[Literal["remove", "restore"]]
    """Whether the most relevant pixels are removed from the image, or restored to the baseline."""

    steps: int | None = None
    baseline: str = "zero"
    preset: str = "heatmark-1"
    ties: str | None = None
    seed: int = 0
    tie_orders: int = 0
    rule: str | None = None

    def __post_init__(self) -> None:
        self._fill_from_preset()
        look_up("rule", str(self.rule), RULES)
        if self.steps is not None and (not isinstance(self.steps, int) or self.steps < 1):
            raise ValueError(f"steps={self.steps!r}, expected a whole number from 1, or null for one row per step")
        if not isinstance(self.tie_orders, int) or self.tie_orders < 0:
            raise ValueError(f"tie_orders={self.tie_orders!r}, expected a whole number from 0; 0 computes no bounds")
        _ = self.path  # checks the names of baseline and order

    def _fill_from_preset(self) -> None:
        """Fill options that are None from the preset, and set ``preset`` to the one that differs least."""
        settled = {
            option: value if getattr(self, option) is None else getattr(self, option)
            for option, value in look_up("preset", self.preset, self.presets).items()
        }
        find_tie_order(str(settled["ties"]))
        nearest = min(self.presets, key=lambda name: len(self.presets[name].items() - settled.items()))
        seed = self.seed if settled["ties"] == "drawn" else 0
        for option, value in {**settled, "preset": nearest, "seed": seed}.items():
            object.__setattr__(self, option, value)

    @property
    def path(self) -> PixelPath:
        """The path along which pixels are exchanged; ``rule`` and ``tie_orders`` are no part of it."""
        return PixelPath(self.direction, self.steps, self.baseline, str(self.ties), self.seed)

    @property
    def bounds(self) -> Sequence[PixelPath]:
        """The path in raster order, in its reverse, and in orders drawn with ``tie_orders`` seeds from ``seed`` on."""
        if not self.tie_orders:
            return ()
        tried = [("raster", 0), ("reversed", 0), *(("drawn", self.seed + more) for more in range(self.tie_orders))]
        return tuple(replace(self.path, ties=ties, seed=seed) for ties, seed in tried)

    def summarise(self, curve: Curve) -> Scores:
        """Return the area under each curve, or the mean of its points, in [0, 1]; NaN for a map that holds NaN."""
        values = area(curve) if self.rule == "trapezoid" else curve.y.mean(dim=-1)
        return Scores(values, [NO_ORDER if undefined else "" for undefined in values.isnan().tolist()], curve)

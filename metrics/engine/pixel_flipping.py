"""The base class of deletion and insertion: their options, presets and curve."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve as Curves, CurveMetric, Explained, Path, Scores
from heatmark.metrics.engine.baselines import find_baseline
from heatmark.metrics.engine.perturbation import area, perturbation_curves, pixel_counts
from heatmark.metrics.engine.ties import find_tie_order

RISE_2018: Mapping[str, object] = {"ties": "raster"}
HEATMARK_1: Mapping[str, object] = {**RISE_2018, "ties": "drawn"}


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
        preset: name of the protocol, which gives the values of options that are None.
        ties: order of pixels of equal value: ``drawn``, ``raster`` or ``reversed``; see
            :mod:`heatmark.metrics.engine.ties`. None means the preset's.
        seed: seed of the drawn order, which also depends on the image's own pixels; 0 if the order is not drawn.
        tie_orders: number of drawn orders under which :meth:`tie_bounds` scores the map, beside raster order and its
            reverse; 0 requests no bounds. It does not change the metric's value.

    Raises:
        ValueError: if a baseline, preset or order is unknown (the message names the nearest), or ``steps`` or
            ``tie_orders`` is out of range. When called: if an image has fewer pixels than ``steps``.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1.
    """

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"heatmark-1": HEATMARK_1, "rise-2018": RISE_2018}
    beside: ClassVar[frozenset[str]] = frozenset({"tie_orders"})

    steps: int | None = None
    baseline: str = "zero"
    preset: str = "heatmark-1"
    ties: str | None = None
    seed: int = 0
    tie_orders: int = 0
    rule: str = 'trapezoid'

    def __post_init__(self) -> None:
        self._fill_from_preset()
        find_baseline(self.baseline)
        if self.steps is not None and (not isinstance(self.steps, int) or self.steps < 1):
            raise ValueError(f"steps={self.steps!r}, expected a whole number from 1, or null for one row per step")
        if not isinstance(self.tie_orders, int) or self.tie_orders < 0:
            raise ValueError(f"tie_orders={self.tie_orders!r}, expected a whole number from 0; 0 computes no bounds")

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

    @abstractmethod
    def ends(self, images: Tensor, baseline: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images with no pixel perturbed, and with all pixels perturbed, each (N, 3, H, W)."""

    def curves(self, batch: Explained) -> Curves:
        """Return the curve of every image; NaN if the map contains NaN."""
        start, end = self.ends(batch.images, find_baseline(self.baseline)(batch.images))
        height, width = batch.images.shape[2:]
        ties = find_tie_order(str(self.ties))(batch.images, self.seed)
        return perturbation_curves(batch, start, end, ties, pixel_counts(height * width, self.steps or height))

    @property
    def path(self):
        return FlipPath(type(self)(steps=self.steps, baseline=self.baseline, ties=self.ties, seed=self.seed))

    @property
    def bounds(self):
        if not self.tie_orders:
            return ()
        tried = [("raster", 0), ("reversed", 0), *(("drawn", self.seed + more) for more in range(self.tie_orders))]
        return tuple(replace(self, ties=t, seed=k).path for t, k in tried)

    def summarise(self, curve):
        v = area(curve) if self.rule == "trapezoid" else curve.y.mean(1)
        return Scores(v, ["map not finite" if n else "" for n in v.isnan().tolist()])


@dataclass(frozen=True)
class FlipPath(Path):
    metric: PixelFlipping

    def curve(self, batch):
        return self.metric.curves(batch)

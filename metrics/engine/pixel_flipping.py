"""What deletion and insertion share: options, presets, and the walk pixel by pixel."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.metrics.base import CurveMetric, Curves, Explained
from heatmark.metrics.engine.baselines import find_baseline
from heatmark.metrics.engine.perturbation import area, perturbation_curves, pixel_counts
from heatmark.metrics.engine.ties import find_tie_order

RISE_2018: Mapping[str, object] = {"ties": "raster"}
HEATMARK_1: Mapping[str, object] = {**RISE_2018, "ties": "drawn"}


@dataclass(frozen=True)
class PixelFlipping(CurveMetric):
    """The target's probability while pixels change place with a baseline's, the most relevant first.

    The preset ``rise-2018`` changes all channels of a pixel at once, one image row's worth of pixels a step (224 at
    224×224), keeps both end points, takes the area under the curve over the true fractions of pixels, and leaves pixels
    of one value in raster order, as the paper's code does. ``heatmark-1``, the default, differs in one value: pixels of
    one value come in the order of a random map that is drawn for each image, because in raster order a map that is
    constant, as a CAM behind a ReLU is on most of its area, scans the picture from the top. The protocols of others
    (Quantus, LATEC) order, step or sum up differently.

    Two metrics of equal values are equal, whichever preset they were built from, and carry the name of the preset that
    they depart from least.

    Args:
        steps: how many steps the curve has, hence steps + 1 points; None means as many as image rows.
        baseline: ``blur``, ``mean`` or ``zero``; see heatmark.metrics.engine.baselines.
        preset: name of the protocol, which gives the values of options that are None.
        ties: order of pixels of one value: ``drawn``, ``raster`` or ``reversed``; see
            heatmark.metrics.engine.ties. None means the preset's.
        seed: of the drawn order, beside the image's own pixels; 0 where the order is not drawn.
        tie_orders: under how many drawn orders, beside raster order and its reverse, :meth:`tie_bounds` scores the map;
            0 asks for no bounds. It changes no value.

    Raises:
        ValueError: for an unknown baseline, preset or order, naming the nearest, or a number that makes no sense.

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

    def __post_init__(self) -> None:
        self._settle()
        find_baseline(self.baseline)
        if self.steps is not None and (not isinstance(self.steps, int) or self.steps < 1):
            raise ValueError(f"steps={self.steps!r}, expected a whole number from 1, or null for one image row a step")
        if not isinstance(self.tie_orders, int) or self.tie_orders < 0:
            raise ValueError(f"tie_orders={self.tie_orders!r}, expected a whole number from 0; 0 asks for no bounds")

    def _settle(self) -> None:
        """Take from the preset what is left open, and the name of the preset that these values are nearest to."""
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
        """Return where the walk starts and where it ends, each (N, 3, H, W)."""

    def curves(self, batch: Explained) -> Curves:
        """Return the curve of every image; NaN where the map holds a NaN."""
        start, end = self.ends(batch.images, find_baseline(self.baseline)(batch.images))
        height, width = batch.images.shape[2:]
        ties = find_tie_order(str(self.ties))(batch.images, self.seed)
        return perturbation_curves(batch, start, end, ties, pixel_counts(height * width, self.steps or height))

    def summary(self, curves: Curves) -> Tensor:
        """Return the area under each curve, (N,), in [0, 1]."""
        return area(curves)

    def tie_bounds(self, batch: Explained, values: Tensor) -> Tensor | None:
        """Return the smallest and the largest value over the orders of ties that were tried, (N, 2); NaN as the value.

        The orders are this metric's own, raster, reversed raster, and those drawn with ``tie_orders`` seeds from
        ``seed`` on. There are many more orders, so this is the range of those that were tried: no proven extremes, and
        an order of scattered single pixels may well lie beyond it.
        Each order that is not the metric's own costs another curve.
        """
        if not self.tie_orders:
            return None
        tried = [("raster", 0), ("reversed", 0), *(("drawn", self.seed + more) for more in range(self.tie_orders))]
        others = [replace(self, ties=ties, seed=seed) for ties, seed in tried]
        scores = torch.stack([values, *(other(batch) for other in others if other != self)])
        return torch.stack([scores.amin(0), scores.amax(0)], dim=1)

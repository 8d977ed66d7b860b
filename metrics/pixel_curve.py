"""What deletion and insertion share: options, presets, and the walk pixel by pixel."""

import difflib
from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor

from metrics.base import Case, CurveMetric, Curves
from metrics.baselines import find_baseline
from metrics.perturbation import area, perturbation_curves, pixel_counts

PRESETS = ("rise-2018",)
"""Protocols by name. Others of the literature (Quantus, LATEC) order, step or sum up differently."""


@dataclass(frozen=True)
class PixelCurve(CurveMetric):
    """The target's probability while pixels change place with a baseline's, the most relevant first.

    The preset ``rise-2018`` changes all channels of a pixel at once, one image row's worth of pixels a step (224 at
    224×224), keeps both end points, and takes the area under the curve over the true fractions of pixels.

    Args:
        steps: how many steps the curve has, hence steps + 1 points; None means the preset's, as many as image rows.
        baseline: ``blur``, ``mean`` or ``zero``; see metrics.baselines.
        preset: name of the protocol.

    Raises:
        ValueError: for an unknown baseline or preset, naming the nearest, or a number of steps below 1.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1.
    """

    steps: int | None = None
    baseline: str = "zero"
    preset: str = "rise-2018"

    def __post_init__(self) -> None:
        find_baseline(self.baseline)
        if self.preset not in PRESETS:
            nearest = difflib.get_close_matches(str(self.preset), PRESETS, n=1, cutoff=0) or PRESETS
            raise ValueError(f"unknown preset {self.preset!r}: did you mean {nearest[0]!r}?")
        if self.steps is not None and (not isinstance(self.steps, int) or self.steps < 1):
            raise ValueError(f"steps={self.steps!r}, expected a whole number from 1, or null for one image row a step")

    @abstractmethod
    def ends(self, images: Tensor, baseline: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the walk starts and where it ends, each (N, 3, H, W)."""

    def curves(self, case: Case) -> Curves:
        """Return the curve of every image; NaN where the map holds a NaN."""
        start, end = self.ends(case.images, find_baseline(self.baseline)(case.images))
        height, width = case.images.shape[2:]
        return perturbation_curves(case, start, end, pixel_counts(height * width, self.steps or height))

    def summary(self, curves: Curves) -> Tensor:
        """Return the area under each curve, (N,), in [0, 1]."""
        return area(curves)

"""The pointing game."""

from dataclasses import dataclass
from math import isqrt
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.metrics.engine.per_image import pixels, precise
from heatmark.metrics.engine.placement import Placement


@dataclass(frozen=True)
class PointingGame(Placement):
    """Pointing game: whether the most relevant pixel lies on the object or near it; higher is better.

    hit = |{i ∈ M : d(i, mask) < max(tolerance, 1)}| / |M|, M = {i : a_i = max a},

    in [0, 1], with d the Euclidean distance to the nearest pixel of the mask, in pixels. It is 0 or 1 if the maximum is
    unique; of several equal maxima it is the share that hits, which is the mean over a maximum drawn at random. A map
    that is constant has no maximum and no value.

    Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 2018. ``tolerance=15`` with a unique maximum
    is TorchRay's definition (torchray/benchmark/pointing_game.py, 6a198ee), whose disc is open, too. Deviation:
    TorchRay takes the first of equal maxima, and averages the hits of each class, then the classes. Quantus 0.6 has no
    tolerance, counts a hit if any of the maxima hits, and gives a hit to a constant map, and to an empty mask, because
    its NaN is written into a boolean array.

    Args:
        tolerance: radius of the disc around the maximum that must meet the mask, in pixels; 0 and 1 mean the maximum
            itself.

    Raises:
        ValueError: if ``tolerance`` is no whole number from 0. When called: as its base class.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> mask = torch.tensor([[[True, False], [False, False]]])
    >>> maps = torch.tensor([[[9.0, 9], [1, 0]]])  # two equal maxima, of which one lies inside
    >>> batch = Explained(nn.Identity(), image, target, maps, mask, lambda *_: maps)
    >>> PointingGame()(batch).values, PointingGame(tolerance=2)(batch).values
    (tensor([0.5000], dtype=torch.float64), tensor([1.], dtype=torch.float64))
    """

    undefined: ClassVar[str] = "the map is constant: it has no maximum"

    tolerance: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.tolerance, int) or self.tolerance < 0:
            raise ValueError(f"tolerance={self.tolerance!r}, expected a whole number of pixels from 0")

    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return the share of the maxima that hit, (n,); NaN for a constant map."""
        maxima = relevance == relevance.amax(dim=(1, 2), keepdim=True)
        hits = pixels(maxima & near(masks, self.tolerance))
        constant = pixels(maxima) == pixels(relevance.isfinite())
        return (precise(hits) / precise(pixels(maxima))).masked_fill(constant, torch.nan)


def near(masks: Tensor, radius: int) -> Tensor:
    """Return which pixels of masks (n, H, W) are closer than max(radius, 1) pixels to a pixel of the mask."""
    height, width, reach = *masks.shape[1:], max(radius, 1)
    before = F.pad(masks.int(), (reach, reach - 1)).cumsum(dim=2)  # pixels of the mask in a row up to a column
    found = torch.zeros_like(masks)
    for down in range(min(reach, height)):
        across = isqrt(reach**2 - down**2 - 1)  # a row of the open disc, above or below its middle, is an interval
        first, last = reach - across - 1, reach + across
        rows = before[:, :, last : last + width] > before[:, :, first : first + width]
        found[:, down:] |= rows[:, : height - down]
        found[:, : height - down] |= rows[:, down:]
    return found

"""Pixel paths: an image whose pixels are replaced one group after the other, in the order of their relevance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, Explained, Path
from heatmark.metrics.engine.baselines import find_baseline
from heatmark.metrics.engine.perturbation import (
    perturbation_scores,
    pixel_counts,
    relevance_ranks,
    require_evaluable,
)
from heatmark.metrics.engine.ties import find_tie_order

Order = Literal["morf", "lerf"]
AXES: dict[str, str] = {"morf": "fraction removed", "lerf": "fraction inserted"}
"""What x is, by the order of a path."""


@dataclass(frozen=True)
class PixelPath(Path):
    """The target's probability while an image's pixels are replaced by those of a fill.

    At a point with count c, the image is x = fill where rank < c, else the image itself, for all channels of a pixel at
    once; y = p(target | x). MoRF replaces the most relevant pixels first, and its x is the fraction of pixels removed.
    LeRF replaces the least relevant pixels first: its ranks are MoRF's from the end, its counts those that MoRF leaves.

    LeRF's curve is given read backwards, from the fill to the image: its x is the fraction of the most relevant pixels
    that are inserted into the fill. Both ends of x are then exact, and 1 − x is the fraction removed.

    Args:
        order: ``morf`` or ``lerf``.
        steps: number of steps K of the curve, which has K + 1 points; None means the number of image rows.
        fill: name of the baseline whose pixels replace the image's; see :mod:`heatmark.metrics.engine.baselines`.
        ties: order of pixels of equal value under MoRF; see :mod:`heatmark.metrics.engine.ties`. Under LeRF it is
            reversed, like the order as a whole.
        seed: seed of a drawn order of ties; 0 if the order is not drawn.

    Raises:
        ValueError: if an order, a fill or an order of ties is unknown (the message names the nearest), or ``steps`` is
            no whole number from 1.
    """

    order: Order = "morf"
    steps: int | None = None
    fill: str = "zero"
    ties: str = "drawn"
    seed: int = 0

    def __post_init__(self) -> None:
        look_up("order", self.order, AXES)
        find_baseline(self.fill)
        find_tie_order(self.ties)
        if self.steps is not None and (not isinstance(self.steps, int) or self.steps < 1):
            raise ValueError(f"steps={self.steps!r}, expected a whole number from 1, or null for one row per step")
        if self.ties != "drawn":
            object.__setattr__(self, "seed", 0)

    def curve(self, batch: Explained) -> Curve:
        """Return the curve of every image, K + 1 points; NaN for an image whose map contains NaN.

        Raises:
            ValueError: if an image has fewer pixels than steps, the shapes do not match, or the model is in training
                mode.
        """
        require_evaluable(batch)
        height, width = batch.images.shape[-2:]
        pixels = height * width
        counts = pixel_counts(pixels, self.steps or height)
        ranks = relevance_ranks(batch.maps, find_tie_order(self.ties)(batch.images, self.seed))
        fill = _fill(find_baseline(self.fill), batch.images)
        if self.order == "morf":
            y = perturbation_scores(batch, fill, ranks, counts)
        else:
            left = [pixels - count for count in reversed(counts)]
            y = perturbation_scores(batch, fill, pixels - 1 - ranks, left).flip(1)
        x = torch.tensor([count / pixels for count in counts], dtype=y.dtype, device=y.device)
        return Curve(x, y, AXES[self.order])

    def passes(self, image_size: tuple[int, int]) -> float:
        """Return the number of points of an image's curve, each a forward pass."""
        return float((self.steps or image_size[0]) + 1)


def _fill(baseline: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the baseline of each image computed alone, so that neighbours change no bit."""
    return torch.cat([baseline(image) for image in torch.split(images, 1)])

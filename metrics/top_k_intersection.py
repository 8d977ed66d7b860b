"""Top-k intersection."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.metrics.engine.per_image import pixels, precise
from heatmark.metrics.engine.placement import Placement, expected_hits, fraction_of


@dataclass(frozen=True)
class TopKIntersection(Placement):
    """Top-k intersection: the share of the k most relevant pixels that lie inside; higher is better.

    intersection = |{k most relevant pixels} ∩ mask| / k, in [0, min(1, |mask| / k)].

    A mask of fewer than k pixels has no map that reaches 1. Of pixels as relevant as the k-th, those are taken inside
    that an order drawn at random would take on average. An image of which fewer than k pixels count has no value.

    Theiner et al., "Interpretable Semantic Photo Geolocation", WACV 2022. ``k=1000`` is Quantus 0.6's default, about
    the fraction 0.02 of 224 × 224 pixels. Deviation: Quantus takes pixels of equal relevance in the order of an
    unstable sort, and all pixels where there are fewer than k; the paper's concept influence, which divides by the
    mask's share of the pixels, is not computed.

    Args:
        k: number of pixels; None takes a fraction of them.
        fraction: share of the pixels that count, rounded to a whole number of pixels, at least one; of no effect where
            ``k`` is given.

    Raises:
        ValueError: if ``k`` is no whole number from 1, or ``fraction`` is not in (0, 1]. When called: if an image has
            fewer than k pixels, and as its base class.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> mask = torch.tensor([[[True, True], [False, False]]])
    >>> maps = torch.tensor([[[9.0, 1], [4, 5]]])  # 9, 5, 4 are the three most relevant; 9 lies inside
    >>> TopKIntersection(k=3)(Explained(nn.Identity(), image, target, maps, mask, lambda *_: maps)).values
    tensor([0.3333], dtype=torch.float64)
    """

    undefined: ClassVar[str] = "fewer than k pixels count"

    k: int | None = None
    fraction: float = 0.02

    def __post_init__(self) -> None:
        if self.k is not None and (not isinstance(self.k, int) or self.k < 1):
            raise ValueError(f"k={self.k!r}, expected a whole number of pixels from 1, or null for a fraction of them")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction={self.fraction!r}, expected more than 0 and at most 1")

    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return the share of the k most relevant pixels that lie inside, (n,); NaN where fewer than k count."""
        counts = self._counts(relevance)
        lacking = pixels(relevance.isfinite()) < counts
        return (expected_hits(relevance, masks, counts) / precise(counts)).masked_fill(lacking, torch.nan)

    def _counts(self, relevance: Tensor) -> Tensor:
        if self.k is None:
            return fraction_of(relevance, self.fraction)
        images, height, width = relevance.shape
        if self.k > height * width:
            raise ValueError(f"k={self.k}, expected 1 to {height * width}, the number of pixels of an image")
        return torch.full((images,), self.k, device=relevance.device)

"""Intersection over union."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.metrics.engine.per_image import pixels, precise
from heatmark.metrics.engine.placement import Placement, fraction_of, nth_largest


@dataclass(frozen=True)
class IoU(Placement):
    """Intersection over union: of the most relevant pixels with the mask, at one threshold; higher is better.

    IoU = |A ∩ mask| / |A ∪ mask|, A = {i : a_i ≥ t}, t the c-th largest relevance, in [0, 1].

    By default c is the number of pixels of the mask: the threshold depends on how large the object is, never on the
    map's scale, and no threshold is chosen by its result. Without equal values at the c-th place the IoU is then
    r / (2 − r), with r the relevance rank accuracy: it ranks the maps of an image alike. All pixels as relevant as the
    c-th belong to A, so that a constant map has the mask's share of the pixels.

    Bau et al., "Network Dissection: Quantifying Interpretability of Deep Visual Representations", CVPR 2017, for a
    threshold that is a quantile, and the IoU with a mask. Deviation: their quantile is that of a unit over all images,
    ours is the map's own, and the default follows the mask's size.

    Args:
        quantile: share q of the pixels below the threshold: c = round((1 − q) · pixels that count), at least 1. None
            takes as many pixels as the mask has.

    Raises:
        ValueError: if ``quantile`` is not in [0, 1). When called: as its base class.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> mask = torch.tensor([[[True, True], [False, False]]])
    >>> maps = torch.tensor([[[9.0, 1], [4, 5]]])  # 9 and 5: one pixel in both, three in either
    >>> batch = Explained(nn.Identity(), image, target, maps, mask, lambda *_: maps)
    >>> IoU()(batch).values, IoU(quantile=0.75)(batch).values
    (tensor([0.3333], dtype=torch.float64), tensor([0.5000], dtype=torch.float64))
    """

    quantile: float | None = None

    def __post_init__(self) -> None:
        if self.quantile is not None and not 0 <= self.quantile < 1:
            raise ValueError(f"quantile={self.quantile!r}, expected at least 0 and less than 1, or null")

    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return the intersection over the union, (n,)."""
        counts = pixels(masks) if self.quantile is None else fraction_of(relevance, 1 - self.quantile)
        selected = relevance >= nth_largest(relevance, counts)
        return precise(pixels(selected & masks)) / precise(pixels(selected | masks))

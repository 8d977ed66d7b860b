"""The deletion metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.engine.pixel_path import Order
from heatmark.metrics.protocols import presets


@dataclass(frozen=True)
class Deletion(PixelFlipping):
    """Deletion: the area under the target's probability while the most relevant pixels are removed; lower is better.

    AUC = ∫₀¹ p(target | image whose fraction f of most relevant pixels is replaced by the baseline) df, in [0, 1],

    with p the softmax probability. As in RISE's code, a deleted pixel is zero in the normalised space by default. The
    options and the errors are those of :class:`~heatmark.metrics.engine.pixel_flipping.PixelFlipping`.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1.
    Deviation: by default pixels of equal relevance are removed in an order drawn per image; ``preset="rise-2018"``
    removes them in raster order, as the paper's code does.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [0, 0]])  # one red pixel
    >>> good, bad = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (good, bad)]
    >>> torch.cat([Deletion(steps=4)(batch).values for batch in batches])
    tensor([0.3637, 0.5458])
    """

    higher_is_better: ClassVar[bool | None] = False
    order: ClassVar[Order] = "morf"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = presets("deletion")

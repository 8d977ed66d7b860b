"""The MoRF metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.engine.pixel_path import Order
from heatmark.metrics.protocols import presets


@dataclass(frozen=True)
class MoRF(PixelFlipping):
    """Most relevant first: the area under the target's probability while pixels are removed; lower is better.

    AUC = ∫₀¹ p(target | image whose fraction f of most relevant pixels has the image's mean colour) df, in [0, 1].

    It is :class:`~heatmark.metrics.deletion.Deletion` with another fill, so that it and LeRF replace pixels alike:
    their difference is SRG. The options and the errors are those of
    :class:`~heatmark.metrics.engine.pixel_flipping.PixelFlipping`.

    Samek et al., "Evaluating the Visualization of What a Deep Neural Network Has Learned", TNNLS 2017, equation 12.
    Deviation: single pixels in place of 9 × 9 regions, and the area under the probability in place of that over it.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[4.0, 0], [0, 0]])  # one red pixel; the mean red is 1
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, lambda *_: image[:, 0])
    >>> MoRF(steps=4)(batch).values  # 0.965 with the pixel, 0.576 without it
    tensor([0.6247])
    """

    higher_is_better: ClassVar[bool | None] = False
    order: ClassVar[Order] = "morf"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = presets("morf")

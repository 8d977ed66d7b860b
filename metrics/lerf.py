"""The LeRF metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.engine.pixel_path import Order
from heatmark.metrics.protocols import presets


@dataclass(frozen=True)
class LeRF(PixelFlipping):
    """Least relevant first: the area under the target's probability while pixels are removed; higher is better.

    AUC = ∫₀¹ p(target | image whose fraction f of least relevant pixels has the image's mean colour) df, in [0, 1].

    Its curve is that of an insertion into the fill, read backwards: equal fills share it, and it is computed once. The
    options and the errors are those of :class:`~heatmark.metrics.engine.pixel_flipping.PixelFlipping`.

    Samek et al., "Evaluating the Visualization of What a Deep Neural Network Has Learned", TNNLS 2017, section III-D.
    Deviation: as :class:`~heatmark.metrics.morf.MoRF`.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[4.0, 0], [0, 0]])  # one red pixel; the mean red is 1
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, lambda *_: image[:, 0])
    >>> LeRF(steps=4)(batch).values  # 0.965 until the pixel itself goes, the last one, 0.576
    tensor([0.9161])
    """

    higher_is_better: ClassVar[bool | None] = True
    order: ClassVar[Order] = "lerf"
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = presets("lerf")

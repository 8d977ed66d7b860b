"""The ROAD metric, least relevant first."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.engine.pixel_path import Order
from heatmark.metrics.road import ROAD


@dataclass(frozen=True)
class ROADLeRF(ROAD):
    """Remove and debias, least relevant first: the target's probability while pixels are imputed; higher is better.

    ROAD LeRF = mean over f of p(target | image whose fraction f of least relevant pixels is imputed), in [0, 1].

    The options, errors and deviations are those of :class:`~heatmark.metrics.road.ROAD`. f is the fraction removed,
    where the authors' LeRF curves count the fraction that is left: theirs has the fractions .1, .3, .5, .6, .7, .8, .9.

    Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022, section 4.2.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 3, 3)
    >>> image[0, 0, 1, 1] = 4  # one red pixel, black neighbours
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, lambda *_: image[:, 0])
    >>> ROADLeRF(fractions=[0, 0.1], noise=0)(batch).values  # 0.965: another pixel is imputed, and black like before
    tensor([0.9647])
    """

    higher_is_better: ClassVar[bool | None] = True
    order: ClassVar[Order] = "lerf"

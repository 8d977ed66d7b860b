"""The average increase."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.masking import intact_and_masked


@dataclass(frozen=True)
class AverageIncrease(Metric):
    """Whether the target's probability rises when the image is multiplied with its map; higher is better.

    increase = 1 if o > y, else 0, with y = p(target | x) and o = p(target | m ⊙ x), m the map scaled to [0, 1]

    The mean over images is the published percentage divided by 100. A constant map has no scale and is undefined.

    Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional Networks",
    WACV 2018, section 4.1. Deviation: x is multiplied in the model's normalised space, as in the code of torch-cam and
    pytorch-grad-cam.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, :2] = torch.tensor([[[4.0, 0], [0, 0]], [[0, 4], [0, 0]]])  # a red pixel and a green one
    >>> maps = torch.tensor([[[1.0, 0], [0, 0]], [[0, 1], [0, 0]]])  # on the red one, and on the green one
    >>> batch = Explained(model, image.repeat(2, 1, 1, 1), torch.tensor([0, 0]), maps, None, lambda *_: maps)
    >>> AverageIncrease()(batch).values
    tensor([1., 0.])
    """

    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        """Return 1 or 0 per image; NaN, with the reason, where it is undefined."""
        intact, masked, reasons = intact_and_masked(batch)
        return Scores(torch.where(masked.isnan(), torch.nan, (masked > intact).to(masked.dtype)), reasons)

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 2: the image and the explanation image."""
        return 2.0

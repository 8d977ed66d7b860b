"""The average drop."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.masking import intact_and_masked


@dataclass(frozen=True)
class AverageDrop(Metric):
    """The drop of the target's probability when the image is multiplied with its map; lower is better.

    drop = max(0, y − o) / y, in [0, 1], with y = p(target | x) and o = p(target | m ⊙ x), m the map scaled to [0, 1]

    The mean over images is the published percentage divided by 100. It rewards large maps: a map that is 1 nearly
    everywhere drops nothing. A constant map has no scale and is undefined; so is an image with y = 0.

    Args:
        relative: whether the drop is divided by y, as in the paper; else it is max(0, y − o).

    Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional Networks",
    WACV 2018, section 4.1. Deviation: x is multiplied in the model's normalised space, as in the code of torch-cam
    (which has logits by default) and pytorch-grad-cam (whose metric is y − o, neither cut off at 0 nor divided).

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[4.0, 0], [0, 0]])  # one red pixel
    >>> maps = torch.tensor([[[0.0, 1], [0, 0]], [[1, 0], [0, 0]]])  # beside it, and on it
    >>> batch = Explained(model, image.repeat(2, 1, 1, 1), torch.tensor([0, 0]), maps, None, lambda *_: maps)
    >>> AverageDrop()(batch).values  # 0.965 with the pixel, 1/3 without it
    tensor([0.6545, 0.0000])
    """

    higher_is_better: ClassVar[bool | None] = False

    relative: bool = True

    def __call__(self, batch: Explained) -> Scores:
        """Return the drop per image; NaN, with the reason, where it is undefined."""
        intact, masked, reasons = intact_and_masked(batch)
        drop = (intact - masked).clamp_min(0)
        if self.relative:
            drop = torch.where(intact > 0, drop / intact, torch.nan)
            zero = (intact == 0).tolist()
            reasons = [why or ("p(target) is 0" if none else "") for why, none in zip(reasons, zero, strict=True)]
        return Scores(drop, reasons)

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 2: the image and the explanation image."""
        return 2.0

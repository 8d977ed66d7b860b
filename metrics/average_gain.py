"""The average gain."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.masking import intact_and_masked


@dataclass(frozen=True)
class AverageGain(Metric):
    """The gain of the target's probability when the image is multiplied with its map; higher is better.

    gain = max(0, o − y) / (1 − y), in [0, 1], where y = p(target | x), o = p(target | m ⊙ x), m the scaled map

    The mean over images is the published percentage divided by 100. It mirrors the average drop; a constant map has no
    scale and is undefined, and so is an image with y = 1.

    Zhang et al., "Opti-CAM: Optimizing saliency maps for interpretability", CVIU 2024, section 4.2. Deviation: x is
    multiplied in the model's normalised space.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, :2] = torch.tensor([[[4.0, 0], [0, 0]], [[0, 4], [0, 0]]])  # a red pixel and a green one
    >>> maps = torch.tensor([[[1.0, 0], [0, 0]], [[0, 1], [0, 0]]])  # on the red one, and on the green one
    >>> batch = Explained(model, image.repeat(2, 1, 1, 1), torch.tensor([0, 0]), maps, None, lambda *_: maps)
    >>> AverageGain()(batch).values  # 0.495 with both pixels, 0.965 with the red one alone
    tensor([0.9300, 0.0000])
    """

    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        """Return the gain per image; NaN, with the reason, where it is undefined."""
        intact, masked, reasons = intact_and_masked(batch)
        gain = torch.where(intact < 1, (masked - intact).clamp_min(0) / (1 - intact), torch.nan)
        sure = (intact >= 1).tolist()
        return Scores(gain, [why or ("p(target) is 1" if one else "") for why, one in zip(reasons, sure, strict=True)])

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 2: the image and the explanation image."""
        return 2.0

"""The random logit test."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.other_class import OtherClass, logits_of


@dataclass(frozen=True)
class RandomLogit(OtherClass):
    """How alike the map of the target and the map of another class are; lower is better.

    ρ = Spearman(map of the target, map of a class drawn from the others), in [−1, 1]

    A method that is blind to the class has 1. The class is drawn from the image's pixels and the seed, the same for
    every method.

    Sixt et al., "When Explanations Lie: Why Many Modified BP Attributions Fail", ICML 2020, section 5. Deviation: the
    rank correlation in place of SSIM.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> blind = lambda model, images, targets: images[:, 0]
    >>> seeing = lambda model, images, targets: images[:, 0] * (1 - 2 * targets.clamp(max=1).view(-1, 1, 1))
    >>> batches = [Explained(model, image, torch.tensor([0]), image[:, 0], None, f) for f in (blind, seeing)]
    >>> torch.cat([RandomLogit()(batch).values for batch in batches]).round(decimals=6)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    draws: ClassVar[bool] = True

    def others(self, batch: Explained) -> Tensor:
        """Return a class per image, drawn evenly from all but the target, (N,)."""
        classes = logits_of(batch, batch.images[:1]).shape[1]
        shifts = [
            int(torch.randint(1, classes, (), generator=image_generator(image, batch.seed, "random logit")))
            for image in batch.images
        ]
        found: Tensor = (batch.targets + torch.tensor(shifts, device=batch.targets.device)) % classes
        return found

"""Two-class contrast."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.metrics.base import Explained, Scores
from heatmark.metrics.engine.other_class import OtherClass, cosine, logits_of
from heatmark.metrics.engine.per_image import NOT_FINITE
from heatmark.metrics.engine.similarity import reasons, spearman

SIMILARITIES = {"spearman": spearman, "cosine": cosine}
"""Similarities of two maps, by the name that the option ``similarity`` takes."""


@dataclass(frozen=True)
class TwoClassContrast(OtherClass):
    """How alike the map of the target and the map of the model's next most probable class are; lower is better.

    ρ = Spearman(map of the target, map of the most probable class other than the target), in [−1, 1],

    or the cosine of the two maps, in [−1, 1]. A method that is blind to the class has 1. The other class is the second
    most probable one where the target is the most probable, else the most probable one: the class with which the target
    is most easily confused, where :class:`.RandomLogit` draws any. It costs one forward pass and one more map.

    Constant maps have no order and no value; that of the cosine, too, so that both are defined on the same images.

    Args:
        similarity: ``spearman`` or ``cosine``.

    Raises:
        ValueError: if ``similarity`` is unknown; it names the nearest. When called: if the model has a single class.

    After Rebuffi et al., "There and Back Again: Revisiting Backpropagation Saliency Methods", CVPR 2020 (class
    sensitivity: the correlation of the maps of the most and the least probable class). Deviation: the second class in
    place of the least probable, whose map nothing in the picture supports.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)  # the logits are 1.5, 5.5 and 9.5
    >>> blind = lambda model, images, targets: images[:, 0]
    >>> seeing = lambda model, images, targets: images[:, 0] * (3 - 2 * targets.view(-1, 1, 1))
    >>> batches = [Explained(model, image, torch.tensor([2]), f(0, image, torch.tensor([2])), None, f)
    ...            for f in (blind, seeing)]
    >>> torch.cat([TwoClassContrast()(batch).values for batch in batches]).round(decimals=6)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    similarity: Literal["spearman", "cosine"] = "spearman"

    def __post_init__(self) -> None:
        look_up("similarity", self.similarity, SIMILARITIES)

    def others(self, batch: Explained) -> Tensor:
        """Return the most probable class other than the target, (N,)."""
        logits = logits_of(batch, batch.images)
        return logits.scatter(1, batch.targets[:, None], -torch.inf).argmax(dim=1)

    def compared(self, one: Tensor, other: Tensor) -> Scores:
        """Return the similarity of pairs of maps (N, H, W); NaN, with the reason, where a map is constant."""
        why = reasons(one, other)
        constant = torch.tensor([bool(reason) for reason in why])
        values = SIMILARITIES[self.similarity](one, other).masked_fill(constant, torch.nan)
        undefined = values.isnan().tolist()
        return Scores(values, [said or (NOT_FINITE if nan else "") for said, nan in zip(why, undefined, strict=True)])

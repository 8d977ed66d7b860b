"""Metrics that compare the map of the class explained with the map of another class."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.common.model_state import observing
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.similarity import reasons, spearman

VERSION = 1
"""Raised by whoever changes how the other class's map is made or compared."""


@dataclass(frozen=True)
class OtherClass(Metric):
    """The base class of metrics that say how alike the map of the target and the map of another class are.

    A method that is blind to the class has 1; lower is better. It costs one more map per image, and the forward passes
    by which a subclass finds the other class.
    """

    higher_is_better: ClassVar[bool | None] = False

    @abstractmethod
    def others(self, batch: Explained) -> Tensor:
        """Return the other class of every image, (N,)."""

    def compared(self, one: Tensor, other: Tensor) -> Scores:
        """Return the rank correlation of pairs of maps (N, H, W); NaN, with the reason, where a map has no order."""
        return Scores(spearman(one, other), reasons(one, other))

    def __call__(self, batch: Explained) -> Scores:
        """Return the similarity per image; NaN, with the reason, where it is undefined."""
        return self.compared(batch.maps, batch.explain(batch.model, batch.images, self.others(batch)))

    def maps(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 1: the map of the other class."""
        return 1.0

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 1: the logits, among which the other class is chosen."""
        return 1.0


def logits_of(batch: Explained, images: Tensor) -> Tensor:
    """Return the logits (n, classes) of images of a batch.

    Raises:
        ValueError: if the model has a single class, beside which there is no other.
    """
    with observing(batch.model):
        logits: Tensor = batch.model(images)
    if logits.shape[1] < 2:
        raise ValueError(f"the model has {logits.shape[1]} class, expected at least 2")
    return logits


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosine of each pair of maps (N, H, W), (N,) float64; NaN for a map that is all zero or not finite.

    cos = Σ a·b / √(Σ a² · Σ b²), in [−1, 1]; each map is divided by its largest magnitude first, so that no sum
    overflows.
    """
    pairs = zip(one.flatten(1), other.flatten(1), strict=True)
    return torch.stack([_cosine(_scaled(a), _scaled(b)) for a, b in pairs])


def _scaled(values: Tensor) -> Tensor:
    precise = values.detach().cpu().double()
    return precise / precise.abs().max()  # 0 / 0 for a map that is all zero


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum() / (one.square().sum() * other.square().sum()).sqrt()

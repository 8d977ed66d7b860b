"""Relative stability: the change of the map in percent over the change of what the model reads or gives."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import Neighbour, Neighbourhood, norm
from heatmark.metrics.engine.per_image import precise
from heatmark.metrics.protocols import STABILITY_PROTOCOLS

ONE_LOST = "a draw changes the predicted class"


@dataclass(frozen=True)
class RelativeStability(Neighbourhood):
    """The base class of relative input and output stability; lower is better.

    value = max over x′ of ‖(e(x) − e(x′)) / e(x)‖₂ / max(distance(x, x′), ε), in [0, ∞),

    divided pixel by pixel, ε in place of a pixel that is exactly 0. For maps with many such pixels, as those of a ReLU,
    ε decides the value: it is a part of the definition.

    Args:
        epsilon: ε, above 0.
        all_kept: whether an image has no value if any neighbour changes the prediction.

    Raises:
        ValueError: for an option out of its range.
    """

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in STABILITY_PROTOCOLS.items()
    }

    epsilon: float | None = None
    all_kept: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.epsilon, int | float) or not self.epsilon > 0:
            raise ValueError(f"epsilon={self.epsilon!r}, expected a number above 0")

    @abstractmethod
    def distance(self, batch: Explained, near: Neighbour) -> Tensor:
        """Return how far each neighbour is from its image, (N,)."""

    def change(self, batch: Explained, near: Neighbour) -> Tensor:
        """Return the change of each map in parts of its pixels, over the distance of the neighbour, (N,)."""
        return norm(self.parts(batch.maps, near.maps)) / self.distance(batch, near).clamp(
            min=cast("float", self.epsilon)
        )

    def parts(self, values: Tensor, others: Tensor) -> Tensor:
        """Return (other − value) / value of each element, ε in place of a value that is 0."""
        values = precise(values)
        guarded = torch.where(values == 0, torch.full_like(values, cast("float", self.epsilon)), values)
        return (precise(others) - values) / guarded

    def counts(self, kept: Tensor) -> Tensor:
        """Return which neighbours count, (N, K) booleans: with ``all_kept`` none where any changes the prediction."""
        counts = super().counts(kept)
        return counts & kept.all(dim=1, keepdim=True) if self.all_kept else counts

    @property
    def lost(self) -> str:
        """The reason of an image of which no neighbour counts."""
        return ONE_LOST if self.all_kept else super().lost

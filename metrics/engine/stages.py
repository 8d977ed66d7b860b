"""The intermediate results (stages) of a metric, for comparing two implementations stage by stage."""

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class MetricStages:
    """The intermediate results of one implementation in the order of computation; None where it has no such stage.

    Args:
        order: the rank of every pixel, or of every feature, (N, features), 0 for the most relevant.
        masks: which values of the image are replaced at each point, or by what they are multiplied, (N, K, …).
        fills: the images with everything replaced, (N, C, H, W).
        inputs: what the model is given at each point, (N, K, C, H, W).
        scores: what is read from the model's output for each input, (N, K).
        curve: the points that are summed up, (N, 2, points): x, then y.
        sum: the metric's value per image, (N,), or what an implementation gives in its place.
    """

    order: Tensor | None = None
    masks: Tensor | None = None
    fills: Tensor | None = None
    inputs: Tensor | None = None
    scores: Tensor | None = None
    curve: Tensor | None = None
    sum: Tensor | None = None


METRIC_STAGES = tuple(field.name for field in fields(MetricStages))


class Recorder(nn.Module):
    """A model that keeps what it is given and what it gives; it is in evaluation mode."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._given: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return the model's output, and keep copies of the images and of it."""
        outputs: Tensor = self.model(images)
        self._given.append(images.detach().clone())
        self._outputs.append(outputs.detach().clone())
        return outputs

    @property
    def given(self) -> Tensor:
        """All images so far, (images, C, H, W), in the order in which they were given."""
        return torch.cat(self._given)

    @property
    def outputs(self) -> Tensor:
        """The outputs for all images so far, (images, classes)."""
        return torch.cat(self._outputs)


def replaced(order: Tensor, counts: Tensor, kind: Literal["removed", "inserted"]) -> Tensor:
    """Return which features are those of the fill at each point, (N, K, features), as 1 and 0.

    Args:
        order: (N, features), the rank of each feature.
        counts: (K,), the numbers of features that are removed from the image, or inserted into the fill.
        kind: which of the two.
    """
    first = order[:, None] < counts[:, None]
    return (first if kind == "removed" else ~first).double()


def points(x: Tensor, y: Tensor) -> Tensor:
    """Return points x (K,) or (N, K) and y (N, K) as the stage ``curve``, (N, 2, K)."""
    return torch.stack([x.to(y).expand_as(y), y], dim=1)

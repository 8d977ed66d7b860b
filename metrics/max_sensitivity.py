"""The max-sensitivity metric."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.common.model_state import observing
from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained, Metric, Scores


@dataclass(frozen=True)
class MaxSensitivity(Metric):
    """Max-sensitivity: the largest relative change of the map under small changes of the image; lower is better.

    s = max over δ of ‖e(x + δ) − e(x)‖₂ / ‖e(x)‖₂, δ drawn evenly from [−r, r] per pixel and channel, in [0, ∞)

    It is undefined for a map that is zero everywhere or has NaN, and, with ``kept``, where every δ changes the
    prediction: such changes of the map may be right.

    Args:
        radius: r, in the model's normalised space.
        samples: number of draws, at least 1. Each costs a map.
        kept: whether only draws count that keep the predicted class.

    Raises:
        ValueError: for an option out of its range.

    Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, definition 3.1. The radius and the
    number of draws are Captum's. Deviation: only draws that keep the predicted class count, unless ``kept=False``.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> still = lambda model, images, targets: image[:, 0]
    >>> jumping = lambda model, images, targets: -2 * image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([2]), image[:, 0], None, f) for f in (still, jumping)]
    >>> torch.cat([MaxSensitivity()(batch).values for batch in batches]).round(decimals=4)
    tensor([0., 3.])
    """

    higher_is_better: ClassVar[bool | None] = False
    draws: ClassVar[bool] = True

    radius: float = 0.02
    samples: int = 10
    kept: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.samples, int) or self.samples < 1:
            raise ValueError(f"samples={self.samples!r}, expected a whole number of at least 1")
        if not self.radius > 0:
            raise ValueError(f"radius={self.radius!r}, expected a number above 0")

    def __call__(self, batch: Explained) -> Scores:
        """Return the sensitivity per image; NaN, with the reason, where it is undefined."""
        norm = batch.maps.flatten(1).norm(dim=1)
        predicted = _predicted(batch, batch.images)
        noise = [image_generator(image, batch.seed, "sensitivity") for image in batch.images]
        largest = torch.full_like(norm, -torch.inf)
        for _ in range(self.samples):
            moved = batch.images + torch.stack([self._drawn(batch.images[0], generator) for generator in noise])
            change = (batch.explain(batch.model, moved, batch.targets) - batch.maps).flatten(1).norm(dim=1) / norm
            counts = (_predicted(batch, moved) == predicted) | (not self.kept)
            largest = torch.where(counts, torch.maximum(largest, change), largest)
        none = largest == -torch.inf
        return Scores(torch.where(none | (norm == 0), torch.nan, largest), _reasons(batch.maps, norm, none))

    def _drawn(self, image: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(image.shape, generator=generator, dtype=torch.float64)
        return ((2 * drawn - 1) * self.radius).to(image)


def _predicted(batch: Explained, images: Tensor) -> Tensor:
    with observing(batch.model):
        return torch.cat([batch.model(image).argmax(dim=1) for image in torch.split(images, batch.batch_size)])


def _reasons(maps: Tensor, norm: Tensor, none: Tensor) -> list[str]:
    said = zip(maps.flatten(1).isnan().any(dim=1).tolist(), (norm == 0).tolist(), none.tolist(), strict=True)
    return [
        "the map contains NaN" if nan
        else "the map is zero everywhere" if zero
        else "every draw changes the predicted class" if lost
        else ""
        for nan, zero, lost in said
    ]  # fmt: skip

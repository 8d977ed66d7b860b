"""Neighbours of an image: it with small random changes, the maps of these, and which of them keep the prediction."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.common.model_state import observing
from heatmark.common.names import look_up
from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.per_image import NOT_FINITE, not_finite, precise, reasons_of, sums
from heatmark.metrics.engine.presets import settled

VERSION = 1
"""Raised by whoever changes a draw or a distance."""

ZERO = "the map is zero everywhere"
LOST = "every draw changes the predicted class"
NEIGHBOUR = "the change of the map is not finite for a draw"

Noise = Literal["uniform", "gaussian", "positive"]
Draw = Callable[[tuple[int, ...], torch.Generator], Tensor]


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1


def _gaussian(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _positive(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return 0.1 + 0.9 * torch.rand(shape, generator=generator, dtype=torch.float64)


NOISES: Mapping[str, Draw] = {"uniform": _uniform, "gaussian": _gaussian, "positive": _positive}
"""Draws per pixel and channel, for a radius of 1: evenly from [−1, 1], standard normal, evenly from [0.1, 1]."""


@dataclass(frozen=True)
class Neighbour:
    """One neighbour of every image of a batch.

    Args:
        images: (N, C, H, W).
        maps: of the same targets, (N, H, W).
        logit_change: logits of the neighbour minus those of the image, (N, classes).
        kept: whether the predicted class is the image's, (N,) booleans.
    """

    images: Tensor
    maps: Tensor
    logit_change: Tensor
    kept: Tensor


def neighbours(batch: Explained, noise: Noise, radius: float, samples: int) -> Iterator[Neighbour]:
    """Yield neighbours, each image's drawn from its own pixels and the seed.

    Args:
        batch: model, images, targets, seed, batch size and ``explain``.
        noise: what is drawn, a name in :data:`NOISES`.
        radius: the factor of the noise.
        samples: number of neighbours per image.
    """
    draw, intact = NOISES[noise], _logits(batch, batch.images)
    generators = [image_generator(image, batch.seed, "sensitivity") for image in batch.images]
    for _ in range(samples):
        drawn = torch.stack([draw(tuple(batch.images.shape[1:]), generator) for generator in generators])
        images = batch.images + (radius * drawn).to(batch.images)
        logits = _logits(batch, images)
        kept = logits.argmax(dim=1) == intact.argmax(dim=1)
        yield Neighbour(images, _maps(batch, images), logits - intact, kept)


def _logits(batch: Explained, images: Tensor) -> Tensor:
    """Return the logits, (N, classes), in batches that are filled up: no image's bits depend on how many there are."""
    with observing(batch.model):
        parts = torch.split(images, batch.batch_size)
        return torch.cat([precise(batch.model(padded(part, batch.batch_size))[: len(part)]) for part in parts])


def _maps(batch: Explained, images: Tensor) -> Tensor:
    parts = zip(torch.split(images, batch.batch_size), torch.split(batch.targets, batch.batch_size), strict=True)
    return torch.cat([batch.explain(batch.model, *part) for part in parts])


def norm(values: Tensor) -> Tensor:
    """Return the Euclidean norm of each image's values (N, …), (N,)."""
    return sums(precise(values).flatten(1).square()).sqrt()


def relative_change(maps: Tensor, others: Tensor) -> Tensor:
    """Return ‖other − map‖₂ / ‖map‖₂ of each pair of maps (N, H, W), (N,)."""
    return norm(precise(others) - precise(maps)) / norm(maps)


def largest(changes: Tensor, counts: Tensor) -> Tensor:
    """Return the largest of the changes (N, K) that count, (N,); NaN where none does, or one is NaN."""
    most = changes.masked_fill(~counts, -torch.inf).amax(dim=1)
    return most.masked_fill(~counts.any(dim=1), torch.nan)


@dataclass(frozen=True)
class Neighbourhood(Metric):
    """The base class of metrics of how much a map changes from an image to its neighbours; lower is better.

    A map that contains NaN or infinite values has no value. Neither has, where changes are relative to the map, one
    that is zero everywhere, nor, with ``kept``, an image of which every draw changes the prediction: such changes of
    the map may be right.

    Args:
        preset: name of the protocol, which gives the values of options that are None.
        radius: r, in the model's normalised space: draws are from [−r, r] (``uniform``), have the standard deviation r
            (``gaussian``), or are from [r / 10, r] (``positive``).
        samples: number of neighbours, at least 1. Each costs a map and a forward pass.
        noise: what is drawn per pixel and channel: ``uniform``, ``gaussian`` or ``positive``.
        kept: whether only neighbours count that keep the predicted class.

    Raises:
        ValueError: for an unknown name (the message names the nearest) or an option out of its range.
    """

    higher_is_better: ClassVar[bool | None] = False
    draws: ClassVar[bool] = True
    relative: ClassVar[bool] = True
    """Whether changes are relative to the map, so that a map of zeros has no value."""

    preset: str = "heatmark-1"
    radius: float | None = None
    samples: int | None = None
    noise: Noise | None = None
    kept: bool | None = None

    def __post_init__(self) -> None:
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        look_up("noise", self.noise, NOISES)
        if not isinstance(self.samples, int) or self.samples < 1:
            raise ValueError(f"samples={self.samples!r}, expected a whole number of at least 1")
        if not isinstance(self.radius, int | float) or not self.radius > 0:
            raise ValueError(f"radius={self.radius!r}, expected a number above 0")

    @abstractmethod
    def change(self, batch: Explained, near: Neighbour) -> Tensor:
        """Return how much the map of each image changes to its neighbour's, (N,)."""

    def summed(self, changes: Tensor, counts: Tensor) -> Tensor:
        """Return one number per image, (N,), of changes (N, K) of which some count; NaN where none does."""
        return largest(changes, counts)

    def counts(self, kept: Tensor) -> Tensor:
        """Return which neighbours count, (N, K) booleans, of which keep the prediction."""
        return kept | (not self.kept)

    @property
    def lost(self) -> str:
        """The reason of an image of which no neighbour counts."""
        return LOST

    def __call__(self, batch: Explained) -> Scores:
        """Return one number per image; NaN, with the reason, where it is undefined."""
        near = neighbours(batch, cast("Noise", self.noise), cast("float", self.radius), cast("int", self.samples))
        changes, kept = zip(*((self.change(batch, each), each.kept) for each in near), strict=True)
        counts = self.counts(torch.stack(kept, dim=1))
        values = self.summed(torch.stack(changes, dim=1), counts)
        zero = (batch.maps == 0).flatten(1).all(dim=1) & self.relative
        faults = [(not_finite(batch.maps), NOT_FINITE), (zero, ZERO), (~counts.any(dim=1), self.lost)]
        reasons = reasons_of([*faults, (~values.isfinite(), NEIGHBOUR)])
        defined = torch.tensor([not reason for reason in reasons], device=values.device)
        return Scores(values.masked_fill(~defined, torch.nan), reasons)

    def maps(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of neighbours."""
        return float(cast("int", self.samples))

    @property
    def asks(self) -> Hashable:
        """The noise, the radius and the number of neighbours."""
        return "neighbours", self.noise, self.radius, self.samples

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of neighbours, and one for the image itself: for the predictions alone."""
        return cast("int", self.samples) + 1.0

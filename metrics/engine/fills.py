"""Fills: what replaces an image's pixels, also where it depends on the normalisation, is drawn or is the dataset's."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from heatmark.common.baselines import BASELINES
from heatmark.common.names import look_up
from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained, Need

VERSION = 1
"""Raised by whoever changes a pixel of a fill: outdates the curves of perturbed images."""

Normalisation = tuple[Tensor, Tensor] | None
"""The mean and the standard deviation of the channels, each (C,)."""

Fill = Callable[[Explained, int], Tensor]
"""(batch, seed) -> the fill of each image, computed from this image alone, (N, C, H, W)."""


def black(batch: Explained, seed: int) -> Tensor:  # noqa: ARG001
    """Return the colour 0 as the model sees it, −mean / deviation in every pixel."""
    return _normalised(torch.zeros_like(batch.images), batch.normalisation, "black")


def uniform(batch: Explained, seed: int) -> Tensor:
    """Return colours drawn uniformly from [0, 1] for every pixel and channel, as the model sees them."""
    return _normalised(_drawn(torch.rand, batch.images, seed), batch.normalisation, "uniform")


def normal(batch: Explained, seed: int) -> Tensor:
    """Return standard normal noise in the normalised space: the mean and deviation of the training data."""
    return _drawn(torch.randn, batch.images, seed)


def counterfactual(batch: Explained, seed: int) -> Tensor:  # noqa: ARG001
    """Return the images without the object of the class explained; NaN for an image that has no such picture."""
    return torch.full_like(batch.images, torch.nan) if batch.counterfactuals is None else batch.counterfactuals


def _drawn(draw: Callable[..., Tensor], images: Tensor, seed: int) -> Tensor:
    each = [draw(image.shape, generator=image_generator(image, seed, "fill")) for image in images]
    return torch.stack(each).to(images)


def _normalised(colours: Tensor, normalisation: Normalisation, name: str) -> Tensor:
    if normalisation is None:
        raise ValueError(f"baseline {name!r} needs the normalisation of the images, and the batch gives None")
    mean, deviation = (each.to(colours).view(-1, 1, 1) for each in normalisation)
    return (colours - mean) / deviation


COLOURS: dict[str, Fill] = {"black": black, "counterfactual": counterfactual, "normal": normal, "uniform": uniform}
DRAWN = frozenset({"normal", "uniform"})
"""The fills that are drawn from an image's own pixels and a seed."""
NEEDS: Mapping[str, frozenset[Need]] = {"counterfactual": frozenset({"counterfactuals"})}
"""What an image must have to get a fill, by the fill's name; nothing for the others."""


def find_fill(name: str) -> Fill:
    """Return the fill with this name, one of these or a baseline.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    look_up("baseline", name, {**BASELINES, **COLOURS})
    if name in COLOURS:
        return COLOURS[name]
    return lambda batch, _: torch.cat([BASELINES[name](image) for image in torch.split(batch.images, 1)])


def fill_images(batch: Explained, name: str, seed: int) -> Tensor:
    """Return the fill of each image computed alone, so that neighbours change no bit, (N, C, H, W).

    Raises:
        ValueError: if the name is unknown, or the fill needs the normalisation and the batch has none.
    """
    return find_fill(name)(batch, seed)

"""Fills: what replaces an image's pixels, also where it depends on the normalisation or is drawn."""

from collections.abc import Callable

import torch
from torch import Tensor

from heatmark.common.baselines import BASELINES
from heatmark.common.names import look_up
from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained

VERSION = 1
"""Raised by whoever changes a pixel of a fill: outdates the curves of perturbed images."""

Normalisation = tuple[Tensor, Tensor] | None
"""The mean and the standard deviation of the channels, each (C,)."""

Fill = Callable[[Tensor, Normalisation, int], Tensor]
"""(image (1, C, H, W), normalisation, seed) -> the fill of this image, (1, C, H, W)."""


def black(image: Tensor, normalisation: Normalisation, seed: int) -> Tensor:  # noqa: ARG001
    """Return the colour 0 as the model sees it, −mean / deviation in every pixel."""
    return _normalised(torch.zeros_like(image), normalisation, "black")


def uniform(image: Tensor, normalisation: Normalisation, seed: int) -> Tensor:
    """Return colours drawn uniformly from [0, 1] for every pixel and channel, as the model sees them."""
    colours = torch.rand(image.shape, generator=image_generator(image[0], seed, "fill"))
    return _normalised(colours.to(image), normalisation, "uniform")


def normal(image: Tensor, normalisation: Normalisation, seed: int) -> Tensor:  # noqa: ARG001
    """Return standard normal noise in the normalised space: the mean and deviation of the training data."""
    return torch.randn(image.shape, generator=image_generator(image[0], seed, "fill")).to(image)


def _normalised(colours: Tensor, normalisation: Normalisation, name: str) -> Tensor:
    if normalisation is None:
        raise ValueError(f"baseline {name!r} needs the normalisation of the images, and the batch gives None")
    mean, deviation = (each.to(colours).view(-1, 1, 1) for each in normalisation)
    return (colours - mean) / deviation


COLOURS: dict[str, Fill] = {"black": black, "normal": normal, "uniform": uniform}
DRAWN = frozenset({"normal", "uniform"})
"""The fills that are drawn from an image's own pixels and a seed."""


def find_fill(name: str) -> Fill:
    """Return the fill with this name, one of these or a baseline.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    look_up("baseline", name, {**BASELINES, **COLOURS})
    return COLOURS[name] if name in COLOURS else lambda image, *_: BASELINES[name](image)


def fill_images(batch: Explained, name: str, seed: int) -> Tensor:
    """Return the fill of each image computed alone, so that neighbours change no bit, (N, C, H, W).

    Raises:
        ValueError: if the name is unknown, or the fill needs the normalisation and the batch has none.
    """
    fill = find_fill(name)
    return torch.cat([fill(image, batch.normalisation, seed) for image in torch.split(batch.images, 1)])

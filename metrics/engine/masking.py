"""Explanation images: an image multiplied with its map scaled to [0, 1], and what the model makes of it."""

from collections.abc import Iterator

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.common.probabilities import target_probabilities
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.per_image import precise, reasons_of
from heatmark.metrics.engine.perturbation import require_evaluable

VERSION = 2
"""Raised by whoever changes an explanation image or its probability."""

CONSTANT = "the map is constant, so that it cannot be scaled to [0, 1]"
NAN = "the map contains NaN"
INFINITE = "the map contains infinite values, so that it cannot be scaled to [0, 1]"
NAN_SCORE = "the model's score is NaN for the image, or for it under its map"


def scaled(maps: Tensor) -> Tensor:
    """Return maps (N, H, W) scaled to [0, 1], (m − min m) / (max m − min m); NaN for a constant map or one with NaN."""
    flat = maps.flatten(1)
    low, high = flat.amin(dim=1), flat.amax(dim=1)
    span = torch.where(high > low, high - low, torch.nan)
    return (maps - low[:, None, None]) / span[:, None, None]


def intact_and_masked(batch: Explained) -> tuple[Tensor, Tensor, list[str]]:
    """Return the target's probability for the image and for the explanation image m ⊙ x, each (N,).

    m is the map scaled to [0, 1], so that pixels without relevance have the colour that is 0 for the model: the mean
    colour of the training data.

    Returns:
        The two probabilities, the second NaN where there are not both, and why, ``""`` where there are.

    Raises:
        ValueError: if the shapes do not match, or the model is in training mode.
    """
    require_evaluable(batch)
    seen, reasons = explanation_images(batch)
    intact, masked = (_probabilities(batch, images) for images in (batch.images, seen))
    nan = (intact.isnan() | masked.isnan()).tolist()
    said = [why or (NAN_SCORE if bad else "") for why, bad in zip(reasons, nan, strict=True)]
    lost = torch.tensor([bool(why) for why in said], device=masked.device)
    return intact, masked.masked_fill(lost, torch.nan), said


def explanation_images(batch: Explained) -> tuple[Tensor, list[str]]:
    """Return the explanation images m ⊙ x, (N, C, H, W), and why a map gives none, ``""`` where it does.

    m is the map scaled to [0, 1]. Without one the picture is zero.
    """
    masks = scaled(precise(batch.maps)).to(batch.images.dtype)  # before, half precision would lose small maps
    defined, flat = ~masks.flatten(1).isnan().any(dim=1), batch.maps.flatten(1)
    seen = torch.where(defined[:, None, None, None], batch.images * masks[:, None], 0.0)
    faults = [(flat.isnan().any(dim=1), NAN), (flat.isinf().any(dim=1), INFINITE), (~defined, CONSTANT)]
    return seen, reasons_of(faults)


def _probabilities(batch: Explained, images: Tensor) -> Tensor:
    """Return p(target | image), (N,); every forward pass has ``batch.batch_size`` images."""
    with torch.no_grad():
        return torch.cat([target_probabilities(batch.model, *pair)[:count] for *pair, count in _chunks(batch, images)])


def _chunks(batch: Explained, images: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
    size = batch.batch_size
    for part, targets in zip(torch.split(images, size), torch.split(batch.targets, size), strict=True):
        yield padded(part, size), padded(targets, size), len(part)

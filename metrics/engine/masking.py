"""Explanation images: an image multiplied with its map scaled to [0, 1], and what the model makes of it."""

from collections.abc import Iterator

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.common.probabilities import target_probabilities
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.perturbation import require_evaluable

VERSION = 1
"""Raised by whoever changes an explanation image or its probability."""

CONSTANT = "the map is constant, so that it cannot be scaled to [0, 1]"
NAN = "the map contains NaN"


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
        The two probabilities, the second NaN where the map cannot be scaled, and why, ``""`` where it can.

    Raises:
        ValueError: if the shapes do not match, or the model is in training mode.
    """
    require_evaluable(batch)
    seen, reasons = explanation_images(batch)
    intact, masked = (_probabilities(batch, images) for images in (batch.images, seen))
    lost = torch.tensor([bool(why) for why in reasons], device=masked.device)
    return intact, masked.masked_fill(lost, torch.nan), reasons


def explanation_images(batch: Explained) -> tuple[Tensor, list[str]]:
    """Return the explanation images m ⊙ x, (N, C, H, W), and why a map gives none, ``""`` where it does.

    m is the map scaled to [0, 1]. Without one the picture is zero.
    """
    masks = scaled(batch.maps.to(batch.images.dtype))
    defined = ~masks.flatten(1).isnan().any(dim=1)
    seen = torch.where(defined[:, None, None, None], batch.images * masks[:, None], 0.0)
    lost = zip(batch.maps.flatten(1).isnan().any(dim=1).tolist(), defined.tolist(), strict=True)
    return seen, [NAN if has_nan else "" if is_defined else CONSTANT for has_nan, is_defined in lost]


def _probabilities(batch: Explained, images: Tensor) -> Tensor:
    """Return p(target | image), (N,); every forward pass has ``batch.batch_size`` images."""
    with torch.no_grad():
        return torch.cat([target_probabilities(batch.model, *pair)[:count] for *pair, count in _chunks(batch, images)])


def _chunks(batch: Explained, images: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
    size = batch.batch_size
    for part, targets in zip(torch.split(images, size), torch.split(batch.targets, size), strict=True):
        yield padded(part, size), padded(targets, size), len(part)

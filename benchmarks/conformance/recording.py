"""Recording of activations, gradients and slopes at a layer, without the code of the methods that are checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from heatmark.benchmarks.conformance.placement import changed, find_placement, output_of

Array = NDArray[np.float64]

STEPS = np.array([1e-6, 1e-7, 1e-8])
"""Steps of finite differences in float64, in units of the activations' root mean square."""


@dataclass(frozen=True)
class Recorded:
    """Activations and gradients at a layer, and the logits.

    Args:
        activations: A, (N, C, h, w).
        gradients: ∂ logits[n, targets[n]] / ∂ A, (N, C, h, w).
        logits: (N, classes).
    """

    activations: Array
    gradients: Array
    logits: Array


@dataclass(frozen=True)
class Slopes:
    """Slopes of each target's logit along random directions of the activations.

    Args:
        directions: (K, N, C, h, w), zero where an activation is zero, which may be the kink of a ReLU, and for tokens
            without a place, such as the class token.
        rises: (K, N), the slopes, by central differences.
    """

    directions: Array
    rises: Array


def record(module: nn.Module, layer: str, images: Tensor, targets: Tensor) -> Recorded:
    """Return activations, gradients and logits, one image at a time, by adding zeros to the layer's output.

    Raises:
        ValueError: where the layer's output has no place on the image.
    """
    place = find_placement(module, layer, images[:1])
    held = [_record_one(module, layer, image[None], int(k)) for image, k in zip(images, targets, strict=True)]
    activations, gradients, logits = (np.concatenate(part) for part in zip(*held, strict=True))
    return Recorded(place.maps(activations), place.maps(gradients), logits)


def activations_of(module: nn.Module, layer: str, images: Tensor) -> NDArray[Any]:
    """Return the activations (N, C, h, w) alone, in the network's own precision."""
    return find_placement(module, layer, images[:1]).maps(output_of(module, layer, images))


def _record_one(module: nn.Module, layer: str, image: Tensor, target: int) -> tuple[Array, Array, Array]:
    held: list[Array] = []
    added: list[Tensor] = []

    def add_zeros(output: Tensor) -> Tensor:
        held.append(output.detach().numpy().copy())
        added.append(torch.zeros_like(output, requires_grad=True))
        return output + added[0]

    with changed(module, layer, add_zeros):
        logits = module(image)
    (gradients,) = torch.autograd.grad(logits[0, target], added[0])
    return held[0], gradients.numpy(), logits.detach().numpy()


def slopes(module: nn.Module, layer: str, images: Tensor, targets: Tensor, count: int = 2) -> Slopes:
    """Return (y(A + hV) − y(A − hV)) / 2h along ``count`` random directions V.

    Of the steps h, each image takes the one at which forward and backward differences agree best: within a larger step
    a ReLU or a pooling may switch, and with a smaller one only rounding is left.
    """
    place, features = find_placement(module, layer, images[:1]), output_of(module, layer, images)
    logits = _logits(module, layer, images, targets, lambda output: output)
    scale, rng = float(np.sqrt((features**2).mean())), np.random.default_rng(0)
    directions, rises = [], []
    for _ in range(count):
        direction = place.where_places_are(rng.standard_normal(features.shape) * (features != 0))

        def moved(h: float, direction: Array = direction) -> Array:
            shift = h * torch.from_numpy(direction)
            return _logits(module, layer, images, targets, lambda output: output + shift)

        sides = np.stack([[(moved(h) - logits) / h, (logits - moved(-h)) / h] for h in scale * STEPS])
        best = np.abs(sides[:, 0] - sides[:, 1]).argmin(axis=0)
        directions.append(place.maps(direction))
        rises.append(sides.mean(axis=1)[best, np.arange(len(images))])
    return Slopes(np.stack(directions), np.stack(rises))


def _logits(
    module: nn.Module, layer: str, images: Tensor, targets: Tensor, change: Callable[[Tensor], Tensor]
) -> Array:
    with torch.no_grad(), changed(module, layer, change):
        logits = module(images).numpy()
    chosen: Array = logits[np.arange(len(logits)), targets.numpy()]
    return chosen

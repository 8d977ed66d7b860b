"""Placement of a layer's output on the image, found from where the output changes with each corner of the picture.

Neither the sizes nor the kind of the layer are used, so that an implementation that guesses from them is found out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[Any]


@dataclass(frozen=True)
class Placement:
    """The dimensions of the channels and of the places in a layer's output.

    Args:
        channels: the dimension of the channels, the images' being 0.
        class_tokens: number of tokens without a place, such as the class token; they come before the others.
        grid: rows and columns.
    """

    channels: int
    class_tokens: int
    grid: tuple[int, int]

    def maps(self, features: Array) -> Array:
        """Return features (N, …) as (N, C, h, w)."""
        placed = self._placed(features)
        return placed.reshape(*placed.shape[:2], *self.grid)

    def without(self, features: Array, channel: int) -> Array:
        """Return features with one channel's map set to 0."""
        changed = features.copy()
        self._placed(changed)[:, channel] = 0
        return changed

    def where_places_are(self, features: Array) -> Array:
        """Return features with the tokens that have no place set to 0."""
        changed = np.zeros_like(features)
        self._placed(changed)[:] = self._placed(features)
        return changed

    def _placed(self, features: Array) -> Array:
        """Return a view, (N, C, …), of the features that have a place on the image."""
        view = np.moveaxis(features, self.channels, 1)
        return view[:, :, self.class_tokens :] if features.ndim == 3 else view


def find_placement(module: nn.Module, layer: str, image: Tensor) -> Placement:
    """Return the placement of a layer's output on one image (1, 3, H, W).

    Noise is added to each corner in turn. From the upper to the lower corners, the change in the output moves along the
    rows, and from the left to the right corners along the columns; along the channels it does not move.

    Raises:
        ValueError: where the layer's output has no place on the image.
    """
    features = output_of(module, layer, image)
    if features.ndim not in (3, 4):
        raise ValueError(f"features of shape {features.shape} have no place on the image")
    down, across = _motions(module, layer, image, features)
    if features.ndim == 3:
        return _of_tokens(module, features, image, channels=1 if down[1] > down[0] else 2)
    _, a, b, c = features.shape
    first, last = down[1] + across[2], down[0] + across[1]
    if abs(first - last) < UNCLEAR:
        first, last = float(b * c == 1), float(a * b == 1)
    return Placement(3, 0, (a, b)) if last > first else Placement(1, 0, (b, c))


UNCLEAR = 0.1
"""Motions along a dimension, in parts of its length, that may be chance; along a single place nothing moves."""


def _motions(module: nn.Module, layer: str, image: Tensor, features: Array) -> tuple[Array, Array]:
    """Return how far the change moves along each dimension of the features, for corners further down, further right."""
    corners = [[_centre(module, layer, image, features, bottom, right) for right in (0, 1)] for bottom in (0, 1)]
    centres = np.array(corners)  # (vertical, horizontal, dimension)
    down, across = centres[1] - centres[0], centres[:, 1] - centres[:, 0]
    return down.mean(axis=0), across.mean(axis=0)


def _centre(module: nn.Module, layer: str, image: Tensor, features: Array, bottom: int, right: int) -> list[float]:
    """Return the centre, from 0 to 1 along each dimension, of the change that noise in one corner causes."""
    height, width = ((side + 2) // 3 for side in image.shape[-2:])
    changed = image.clone()
    corner = changed[..., -height:, :] if bottom else changed[..., :height, :]
    corner = corner[..., -width:] if right else corner[..., :width]
    noise = np.random.default_rng(0).standard_normal(corner.shape)
    corner += float(image.std()) * torch.from_numpy(noise).to(corner)
    energy = (output_of(module, layer, changed) - features)[0].astype(np.float64) ** 2
    return [_mean_place(np.moveaxis(energy, d, 0).reshape(side, -1).sum(axis=1)) for d, side in enumerate(energy.shape)]


def _mean_place(energies: Array) -> float:
    total = energies.sum()
    if len(energies) == 1 or total == 0:
        return 0.5
    return float((np.linspace(0, 1, len(energies)) * energies).sum() / total)


def _of_tokens(module: nn.Module, features: Array, image: Tensor, channels: int) -> Placement:
    """Return the placement of tokens (N, T, C) or (N, C, T), with what the model's ``token_layout`` gives.

    Without a layout there are as few class tokens as leave a grid of the picture's aspect.
    """
    height, width = image.shape[-2:]
    layout = getattr(module, "token_layout", None)
    count = features.shape[3 - channels]
    class_token_counts = range(2) if layout is None or channels == 1 else [int(layout.class_tokens)]
    for class_tokens in class_token_counts:
        rows = round(((count - class_tokens) * height / width) ** 0.5)
        if layout is not None and layout.grid is not None:
            rows = int(layout.grid[0])
        if rows > 0 and (count - class_tokens) % rows == 0:
            return Placement(channels, class_tokens, (rows, (count - class_tokens) // rows))
    raise ValueError(f"{count} tokens fit no grid on images of {height}x{width} pixels")


def output_of(module: nn.Module, layer: str, image: Tensor) -> Array:
    """Return a layer's output, copied before anything overwrites it."""
    held: list[Array] = []

    def hold(output: Tensor) -> Tensor:
        held.append(output.detach().numpy().copy())
        return output

    with torch.no_grad(), changed(module, layer, hold):
        module(image)
    return held[0]


@contextmanager
def changed(module: nn.Module, layer: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace a layer's output by ``change`` of it in this context."""
    handle = module.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        yield
    finally:
        handle.remove()

"""The CAMs written a second time, from the papers, in NumPy and float64: slow, plain, sharing no code with methods/.

Whoever changes a formula must change it in two places, or the check says at which stage the two part.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from methods.base import Method
from methods.grad_cam import GradCAM
from methods.grad_cam_pp import GradCAMPlusPlus
from methods.hires_cam import HiResCAM
from methods.layer_cam import LayerCAM
from methods.stages import Stages
from methods.xgrad_cam import XGradCAM

Array = NDArray[np.float64]

STEPS = np.array([1e-6, 1e-7, 1e-8])
"""Of finite differences in float64, in units of the activations' root mean square."""


@dataclass(frozen=True)
class Recorded:
    """What a network held.

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
    """How fast each target's logit rises when the activations move along random directions.

    Args:
        directions: (K, N, C, h, w), zero where an activation is zero: there it may lie on the kink of a ReLU. Tokens
            without a place, such as the class token, stay as they are.
        rises: (K, N), the central differences.
    """

    directions: Array
    rises: Array


def record(module: nn.Module, layer: str, images: Tensor, targets: Tensor) -> Recorded:
    """Return activations, gradients and logits, one image at a time, by adding zeros to the layer's output.

    Raises:
        ValueError: where the layer's output has no place on the image.
    """
    parts = [_record_one(module, layer, image[None], int(k)) for image, k in zip(images, targets, strict=True)]
    return Recorded(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _record_one(module: nn.Module, layer: str, image: Tensor, target: int) -> tuple[Array, Array, Array]:
    held: list[Array] = []
    added: list[Tensor] = []

    def add_zeros(output: Tensor) -> Tensor:
        held.append(output.detach().numpy().copy())
        added.append(torch.zeros_like(output, requires_grad=True))
        return output + added[0]

    with _changed(module, layer, add_zeros):
        logits = module(image)
    (gradients,) = torch.autograd.grad(logits[0, target], added[0])
    place = _placement(module, held[0], image)
    return place(held[0]), place(gradients.numpy()), logits.detach().numpy()


def slopes(module: nn.Module, layer: str, images: Tensor, targets: Tensor, count: int = 2) -> Slopes:
    """Return (y(A + hV) − y(A − hV)) / 2h along ``count`` random directions V.

    Of the steps h, each image takes the one at which the differences forward and backward agree best: within a step
    too large a ReLU or a pooling may switch, and of one too small nothing but rounding is left.
    """
    held: list[Array] = []

    def hold(output: Tensor) -> Tensor:
        held.append(output.detach().numpy().copy())
        return output

    logits = _logits(module, layer, images, targets, hold)
    scale, rng = float(np.sqrt((held[0] ** 2).mean())), np.random.default_rng(0)
    directions, rises = [], []
    for _ in range(count):
        direction = rng.standard_normal(held[0].shape) * (held[0] != 0)
        if direction.ndim == 3:
            direction[:, : _prefix(module)] = 0

        def moved(h: float, direction: Array = direction) -> Array:
            shift = h * torch.from_numpy(direction)
            return _logits(module, layer, images, targets, lambda output: output + shift)

        sides = np.stack([[(moved(h) - logits) / h, (logits - moved(-h)) / h] for h in scale * STEPS])
        best = np.abs(sides[:, 0] - sides[:, 1]).argmin(axis=0)
        directions.append(_placement(module, held[0], images)(direction))
        rises.append(sides.mean(axis=1)[best, np.arange(len(images))])
    return Slopes(np.stack(directions), np.stack(rises))


def _logits(
    module: nn.Module, layer: str, images: Tensor, targets: Tensor, change: Callable[[Tensor], Tensor]
) -> Array:
    with torch.no_grad(), _changed(module, layer, change):
        logits = module(images).numpy()
    chosen: Array = logits[np.arange(len(logits)), targets.numpy()]
    return chosen


@contextmanager
def _changed(module: nn.Module, layer: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    handle = module.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        yield
    finally:
        handle.remove()


def _placement(module: nn.Module, features: Array, images: Tensor) -> Callable[[Any], Array]:
    """Say how to read features as (N, C, h, w)."""
    layout = getattr(module, "token_layout", None)
    if features.ndim == 4:
        last = layout is not None and layout.channels_last
        return lambda x: x.transpose(0, 3, 1, 2) if last else x
    if features.ndim != 3:
        raise ValueError(f"features of shape {features.shape} have no place on the image")
    height, width = images.shape[-2:]
    prefix = _prefix(module)
    places = features.shape[1] - prefix
    rows = round((places * height / width) ** 0.5) if layout is None or layout.grid is None else layout.grid[0]
    return lambda x: x[:, prefix:].transpose(0, 2, 1).reshape(len(x), -1, rows, places // rows)


def _prefix(module: nn.Module) -> int:
    """Return how many tokens stand before those of the places."""
    layout = getattr(module, "token_layout", None)
    return 0 if layout is None else int(layout.prefix)


def grad_cam(A: Array, G: Array) -> Array:  # noqa: ARG001 - one signature for all
    """Return w_c = 1/Z Σ_ij G_cij, (C,); Selvaraju et al. 2017, eq. 1."""
    return np.array([g.sum() / g.size for g in G])


def grad_cam_pp(A: Array, G: Array) -> Array:
    """Return w_c = Σ_ij α_cij relu(G_cij), α = G² / (2G² + Σ(A) G³); Chattopadhay et al. 2018, eq. 5 and 19."""
    return np.array([sum(_alpha(a, g) * g for g in gs.flat if g > 0) for a, gs in zip(A, G, strict=True)])


def _alpha(a: Array, g: float) -> float:
    return g**2 / (2 * g**2 + float(a.sum()) * g**3)


def xgrad_cam(A: Array, G: Array) -> Array:
    """Return w_c = Σ_ij A_cij G_cij / Σ_ab A_cab, 0 for a silent channel; Fu et al. 2020."""
    return np.array([(a * g).sum() / a.sum() if a.any() else 0.0 for a, g in zip(A, G, strict=True)])


WEIGHTS: Mapping[type[Method], Callable[[Array, Array], Array]] = {
    GradCAM: grad_cam,
    GradCAMPlusPlus: grad_cam_pp,
    XGradCAM: xgrad_cam,
}
"""CAMs with a weight a channel: (A, G) of one image, each (C, h, w), to w (C,)."""

PLACES: Mapping[type[Method], Callable[[Array, Array], Array]] = {
    HiResCAM: lambda A, G: sum(a * g for a, g in zip(A, G, strict=True)),
    LayerCAM: lambda A, G: sum(a * np.maximum(g, 0) for a, g in zip(A, G, strict=True)),
}
"""CAMs with a weight a place: (A, G) of one image to the map before its ReLU, (h, w)."""


def covers(definition: Method) -> bool:
    """Say whether this method stands in the textbook."""
    return type(definition) in {**WEIGHTS, **PLACES}


def stages(definition: Method, recorded: Recorded, size: tuple[int, int]) -> Stages:
    """Return all that a method of the textbook holds on its way to a map."""
    pairs = list(zip(recorded.activations, recorded.gradients, strict=True))
    weights = None
    if weigh := WEIGHTS.get(type(definition)):
        weights = np.stack([weigh(A, G) for A, G in pairs])
        raw = np.stack([np.tensordot(w, A, axes=1) for w, (A, _) in zip(weights, pairs, strict=True)])
    else:
        raw = np.stack([PLACES[type(definition)](A, G) for A, G in pairs])
    relu = np.where(raw < 0, 0.0, raw)
    resized = np.stack([bilinear(m, size) for m in relu])
    return Stages(
        activations=torch.from_numpy(recorded.activations),
        gradients=torch.from_numpy(recorded.gradients.copy()),
        weights=None if weights is None else torch.from_numpy(weights),
        raw=None if weights is None else torch.from_numpy(raw),
        relu=torch.from_numpy(relu),
        resized=torch.from_numpy(resized),
        normalised=torch.from_numpy(np.stack([min_max(m) for m in resized])),
    )


def bilinear(values: Array, size: tuple[int, int]) -> Array:
    """Return a map (h, w) at size (H, W): pixel i of H lies at (i + ½) h/H − ½, held within the map's own pixels."""
    rows, columns = (_interpolation(old, new) for old, new in zip(values.shape, size, strict=True))
    resized: Array = rows @ values @ columns.T
    return resized


def _interpolation(old: int, new: int) -> Array:
    """Return the matrix (new, old) that interpolates linearly."""
    matrix = np.zeros((new, old))
    for i in range(new):
        x = min(max((i + 0.5) * old / new - 0.5, 0.0), old - 1.0)
        left = min(int(x), old - 1)
        right = min(left + 1, old - 1)
        matrix[i, left] += 1 - (x - left)
        matrix[i, right] += x - left
    return matrix


def min_max(values: Array) -> Array:
    """Return (L − min L) / (max L − min L), NaN for a constant map."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full_like(values, np.nan)

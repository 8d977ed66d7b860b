"""Reference implementation of the CAMs, from the papers, in NumPy and float64: slow, and no code shared with methods/.

A formula that is changed in one of the two places turns the check red, which names the stage that differs.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from heatmark.benchmarks.conformance.recording import Recorded
from heatmark.methods.base import Method
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.stages import Stages
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.xgrad_cam import XGradCAM

Array = NDArray[np.float64]


def grad_cam(A: Array, G: Array) -> Array:  # noqa: ARG001 - one signature for all
    """Return w_c = 1/Z Σ_ij G_cij, (C,); Selvaraju et al. 2017, eq. 1."""
    return np.array([g.sum() / g.size for g in G])


def grad_cam_pp(A: Array, G: Array) -> Array:
    """Return w_c = Σ_ij α_cij relu(G_cij), α = G² / (2G² + Σ(A) G³); Chattopadhay et al. 2018, eq. 5 and 19."""
    return np.array([_of_shared_gradients(float(a.sum()), g[g > 0]) for a, g in zip(A, G, strict=True)])


def _of_shared_gradients(total: float, g: Array) -> float:
    alpha = g**2 / (2 * g**2 + total * g**3)
    return float((alpha * g).sum())


def xgrad_cam(A: Array, G: Array) -> Array:
    """Return w_c = Σ_ij A_cij G_cij / Σ_ab A_cab, 0 for a channel that is 0 everywhere; Fu et al. 2020."""
    return np.array([(a * g).sum() / a.sum() if a.any() else 0.0 for a, g in zip(A, G, strict=True)])


WEIGHTS: Mapping[type[Method], Callable[[Array, Array], Array]] = {
    GradCAM: grad_cam,
    GradCAMPlusPlus: grad_cam_pp,
    XGradCAM: xgrad_cam,
}
"""CAMs with one weight per channel: (A, G) of one image, each (C, h, w), to w (C,)."""

PLACES: Mapping[type[Method], Callable[[Array, Array], Array]] = {
    HiResCAM: lambda A, G: sum(a * g for a, g in zip(A, G, strict=True)),
    LayerCAM: lambda A, G: sum(a * np.maximum(g, 0) for a, g in zip(A, G, strict=True)),
}
"""CAMs with one weight per channel and place: (A, G) of one image to the map before its ReLU, (h, w)."""


SIGN_IS_ROUNDING = 1e-9
"""|⟨O V_1, mean over C⟩| below which its sign is rounding, as a fraction of the same product of absolute values."""


def eigen_cam(A: Array) -> Array:
    """Return O V_1, (h, w), O (places × C) and V_1 its first right singular vector, ⟨O V_1, mean over C⟩ ≥ 0.

    Zero where all activations are 0, NaN where the sign is rounding; Muhammad and Yeasin 2020.
    """
    O = A.reshape(len(A), -1).T  # noqa: E741
    if not O.any():
        return np.zeros(A.shape[1:])
    component = O @ np.linalg.svd(O, full_matrices=False)[2][0]
    agreement = float(component @ O.mean(axis=1))
    decided = abs(agreement) > SIGN_IS_ROUNDING * float(np.abs(component) @ np.abs(O).mean(axis=1))
    signed: Array = component * (np.sign(agreement) if decided else np.nan)
    return signed.reshape(A.shape[1:])


def covers(definition: Method) -> bool:
    """Say whether this method's map follows from activations and gradients alone."""
    return type(definition) in (*WEIGHTS, *PLACES, EigenCAM)


def stages(definition: Method, recorded: Recorded, size: tuple[int, int]) -> Stages:
    """Return the stages of such a method, from activations to the normalised map."""
    if isinstance(definition, EigenCAM):
        return displayed(recorded, np.stack([eigen_cam(A) for A in recorded.activations]), size)
    pairs = list(zip(recorded.activations, recorded.gradients, strict=True))
    if weigh := WEIGHTS.get(type(definition)):
        return weighted(recorded, np.stack([weigh(A, G) for A, G in pairs]), size)
    raw = np.stack([PLACES[type(definition)](A, G) for A, G in pairs])
    return displayed(recorded, relu(raw), size)


def weighted(recorded: Recorded, weights: Array, size: tuple[int, int]) -> Stages:
    """Return the stages of relu(Σ_c w_c A_c), weights (N, C)."""
    raw = np.stack([np.tensordot(w, A, axes=1) for w, A in zip(weights, recorded.activations, strict=True)])
    shown = displayed(recorded, relu(raw), size)
    return replace(shown, weights=torch.from_numpy(weights), raw=torch.from_numpy(raw))


def displayed(recorded: Recorded, maps: Array, size: tuple[int, int]) -> Stages:
    """Return the stages of final maps (N, h, w): resized to the image's size, and normalised as they are displayed."""
    resized = np.stack([bilinear(m, size) for m in maps])
    normalised = np.stack([min_max(bilinear(m, size)) for m in relu(maps)])
    return Stages(
        activations=torch.from_numpy(recorded.activations),
        gradients=torch.from_numpy(recorded.gradients),
        relu=torch.from_numpy(maps),
        resized=torch.from_numpy(resized),
        normalised=torch.from_numpy(normalised),
    )


def relu(values: Array) -> Array:
    """Return max(x, 0), NaN where x is."""
    return np.where(values < 0, 0.0, values)


def bilinear(values: Array, size: tuple[int, int]) -> Array:
    """Return a map (h, w) at size (H, W): pixel i of H lies at (i + ½) h/H − ½, clamped to the map's own pixels."""
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

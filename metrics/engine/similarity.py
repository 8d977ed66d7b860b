"""How alike two maps are."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

VERSION = 1
"""Raised by whoever changes a similarity or a rank."""

NAN = "a map contains NaN"
CONSTANT = "a map is constant, so that its pixels have no order"
FEATURES = "a map has no similarity with the other: its features are constant"

WINDOW, CELL = 7, 16
"""Sides of SSIM's window and of a cell of HOG, in pixels, where the map is large enough."""

Similarity = Callable[[Tensor, Tensor], Tensor]
Array = NDArray[np.float64]


def mean_ranks(values: Tensor) -> Tensor:
    """Return the rank of each value (P,), from 1, float64; equal values share their mean rank."""
    ordered, order = (values + 0).sort(stable=True)  # +0 makes −0 into 0
    _, group, counts = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = torch.empty(len(values), dtype=torch.float64)
    ranks[order.cpu()] = (last - (counts - 1) / 2)[group].cpu()
    return ranks


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Return the rank correlation of each pair of maps (N, H, W), (N,) float64; NaN for a constant map or one with NaN.

    ρ = Pearson(ranks of one, ranks of the other), equal values at their mean rank.
    """
    return torch.stack([_correlation(*pair) for pair in zip(one.flatten(1), other.flatten(1), strict=True)])


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    if one.isnan().any() or other.isnan().any():
        return torch.tensor(torch.nan, dtype=torch.float64)
    x, y = (mean_ranks(each) for each in (one, other))
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()  # 0 / 0 for a constant map


def reasons(one: Tensor, other: Tensor) -> list[str]:
    """Return why two maps (N, H, W) have no similarity, ``""`` where they have one."""
    flat = [each.flatten(1) for each in (one, other)]
    nan = (flat[0].isnan() | flat[1].isnan()).any(dim=1).tolist()
    constant = [(each.amax(dim=1) == each.amin(dim=1)).tolist() for each in flat]
    return [NAN if bad else CONSTANT if a or b else "" for bad, a, b in zip(nan, *constant, strict=True)]


def undefined(values: Tensor, one: Tensor, other: Tensor) -> list[str]:
    """Return why each similarity (N,) of two maps (N, H, W) is NaN, ``""`` where it is not."""
    lost = values.isnan().tolist()
    return [why or FEATURES if bad else "" for bad, why in zip(lost, reasons(one, other), strict=True)]


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Return the structural similarity of each pair of maps (N, H, W), (N,) float64, in [−1, 1].

    Each map is first scaled from its least and largest value to [0, 1]; NaN for a constant map or one with NaN. The
    window has 7 × 7 pixels, or the largest odd number that fits.
    """
    import skimage.metrics  # half a second, before the first forward pass of any sweep

    compare: Any = skimage.metrics.structural_similarity

    def alike(a: Array, b: Array) -> float:
        side = min(WINDOW, *a.shape)
        window = side - 1 + side % 2
        return float(compare(_scaled(a), _scaled(b), win_size=window, data_range=1.0))

    return _each(alike, one, other)


def hog(one: Tensor, other: Tensor) -> Tensor:
    """Return Pearson's correlation of the histograms of oriented gradients of each pair of maps, (N,) float64.

    The maps (N, H, W) are scaled to [0, 1]. Cells have 16 × 16 pixels, or a quarter of the map's shorter side where
    that is less, blocks 3 × 3 cells and 9 orientations. NaN for a constant map or one with NaN, and for maps without 3
    cells.
    """
    from skimage.feature import hog as features  # half a second, before the first forward pass of any sweep

    def alike(a: Array, b: Array) -> float:
        side = max(1, min(CELL, min(a.shape) // 4))
        if min(a.shape) < 3 * side:
            return float("nan")
        x, y = (features(_scaled(each), pixels_per_cell=(side, side), cells_per_block=(3, 3)) for each in (a, b))
        x, y = x - x.mean(), y - y.mean()
        size = float(np.sqrt((x**2).sum() * (y**2).sum()))
        return float((x * y).sum()) / size if size > 0 else float("nan")

    return _each(alike, one, other)


def _each(alike: Callable[[Array, Array], float], one: Tensor, other: Tensor) -> Tensor:
    """Return a similarity of each pair of maps, NaN where a map has no order."""
    pairs = zip(*(each.detach().cpu().double().numpy() for each in (one, other)), reasons(one, other), strict=True)
    return torch.tensor([float("nan") if why else alike(a, b) for a, b, why in pairs], dtype=torch.float64)


def _scaled(values: Array) -> Array:
    scaled: Array = (values - values.min()) / (values.max() - values.min())
    return scaled


SIMILARITIES: Mapping[str, Similarity] = {"spearman": spearman, "ssim": ssim, "hog": hog}
"""Similarities of maps by their names."""

"""Degenerate maps, which rank few pixels or none: what is wrong with each, and the share of pixels that are tied."""

import torch
from torch import Tensor
from torch.nn import functional as F


def degeneracies(maps: Tensor) -> list[str]:
    """Return what is wrong with each raw map (N, h, w), ``""`` where nothing is.

    ``not finite`` (it holds a NaN or infinity), ``all zero``, ``constant``, or ``mostly tied`` (over half of its values
    are equal, so that the order of ties decides most of the ranking).
    """
    return [_degeneracy(values) for values in maps.flatten(1)]


def _degeneracy(values: Tensor) -> str:
    if not values.isfinite().all():
        return "not finite"
    if (values == 0).all():
        return "all zero"
    if (values == values[0]).all():
        return "constant"
    most_frequent = int(torch.unique(values, return_counts=True)[1].max())
    return "mostly tied" if 2 * most_frequent > len(values) else ""


def tied_share(maps: Tensor) -> Tensor:
    """Return the share of each map's pixels whose place in its ranking the map does not determine, (N,) float64.

    (number of pixels that share their value with another pixel of the map) / (H·W), in [0, 1]; NaN for a map that holds
    a NaN. Upsampling repeats values at the border: a raw map of 8 × 8 different values has a share of
    1 − (7/8)² = 0.23 once it is upsampled.

    Args:
        maps: (N, H, W) on the CPU, as they are scored: upsampled to the images.
    """
    return tied_among(maps.flatten(1).sort(dim=1).values)


def tied_among(values: Tensor) -> Tensor:
    """Return the share of tied pixels, as :func:`tied_share`, of each map's sorted values (N, H·W)."""
    equal = values[:, 1:] == values[:, :-1]
    shared = F.pad(equal, (1, 0)) | F.pad(equal, (0, 1))
    return shared.double().mean(dim=1).masked_fill(values.isnan().any(dim=1), torch.nan)

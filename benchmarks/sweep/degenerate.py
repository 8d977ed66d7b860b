"""Maps that rank no pixels, or hardly any: counted and reported, never quietly averaged."""

import torch
from torch import Tensor
from torch.nn import functional as F


def degeneracies(maps: Tensor) -> list[str]:
    """Say of every raw map (N, h, w) what is wrong with it, ``""`` where nothing is.

    ``not finite`` (a NaN or infinity), ``all zero``, ``constant``, or ``mostly tied`` (over half of its values are
    equal, so that most of the ranking is the order of ties, and not the map's).
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

    (pixels that share their value with another pixel of the map) / (H·W), in [0, 1]; NaN for a map that holds a NaN.
    Interpolation repeats the outer half of the outermost cells: a map of 8 × 8 cells, no two alike, has a share of
    1 − (7/8)² = 0.23 once it is upsampled.

    Args:
        maps: (N, H, W) on the CPU, as they are scored: upsampled to the images.
    """
    values = maps.flatten(1).sort(dim=1).values
    equal = values[:, 1:] == values[:, :-1]
    shared = F.pad(equal, (1, 0)) | F.pad(equal, (0, 1))
    return shared.double().mean(dim=1).masked_fill(values.isnan().any(dim=1), torch.nan)

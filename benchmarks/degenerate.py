"""Maps that rank no pixels, or hardly any: counted and reported, never quietly averaged."""

import torch
from torch import Tensor


def degeneracies(maps: Tensor) -> list[str]:
    """Say of every raw map (N, h, w) what is wrong with it, ``""`` where nothing is.

    ``not finite`` (a NaN or infinity), ``all zero``, ``constant``, or ``mostly tied`` (over half of its values are
    equal, so that most of the ranking is the raster order).
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

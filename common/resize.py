"""From a raw map to another size: one operation for the sweep's explicit step, for masks and for fused maps."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.common.probabilities import full_precision


def upsample(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps (N, h, w) at size (H, W): bilinear, align_corners=False; untouched where they fit.

    Half-precision maps become float32, others keep their precision: a map in float64 is not rounded.
    A constant map stays constant: interpolation may round its pixels apart, and the rounding would rank them.
    """
    maps = full_precision(maps)
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    resized = F.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]
    first = maps[:, :1, :1]
    return torch.where((maps == first).all(dim=(1, 2), keepdim=True), first, resized)

"""The resizing of maps: one operation for raw maps, masks and fused maps."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.common.probabilities import full_precision

VERSION = 1
"""Raised by whoever changes a resized value: outdates all curves and scores, and methods that resize."""


def upsample(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps (N, h, w) at size (H, W): bilinear, ``align_corners=False``; as they are if the size fits.

    Half-precision maps become float32; float64 maps stay float64. A constant map stays exactly constant: interpolation
    may round its pixels to different values, and a metric would rank the pixels by the rounding.
    """
    maps = full_precision(maps)
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    resized = F.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]
    first = maps[:, :1, :1]
    return torch.where((maps == first).all(dim=(1, 2), keepdim=True), first, resized)

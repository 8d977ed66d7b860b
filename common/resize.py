"""From a raw map to the image's size: an explicit step, the same for every method."""

import torch
from torch import Tensor
from torch.nn import functional as F


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (N, h, w) at size (H, W): bilinear, align_corners=False, float32; untouched where they fit.

    A constant map stays constant: interpolation may round its pixels apart, and the rounding would rank them.
    """
    maps = maps.float()
    if tuple(maps.shape[-2:]) == size:
        return maps
    resized = F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    first = maps[:, :1, :1]
    return torch.where((maps == first).all(dim=(1, 2), keepdim=True), first, resized)

"""From a raw map to the image's size: an explicit step, the same for every method."""

from torch import Tensor
from torch.nn import functional as F


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (N, h, w) at size (H, W): bilinear, align_corners=False, float32; untouched where they fit."""
    maps = maps.float()
    if tuple(maps.shape[-2:]) == size:
        return maps
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]

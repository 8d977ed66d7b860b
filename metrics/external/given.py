"""Maps that are given to libraries which scale what their own methods give."""

from torch import Tensor


def min_max(maps: Tensor) -> Tensor:
    """Return maps (N, H, W) as the libraries' methods scale them, (m − min m) / max(m − min m); NaN for a constant map.

    It is written without our metrics' code, whose faults would else be on both sides of a comparison.
    """
    lifted = maps - maps.amin(dim=(1, 2), keepdim=True)
    return lifted / lifted.amax(dim=(1, 2), keepdim=True)

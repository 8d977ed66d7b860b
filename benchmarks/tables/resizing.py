"""Resizing of maps with NumPy and scikit-image, to the same values as PyTorch's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

Array = NDArray[Any]


def upsampled(values: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a map (h, w) resized to (H, W): bilinear, half-pixel centres, edges repeated.

    Equal but for rounding to :func:`heatmark.common.resize.upsample` (``align_corners=False``), with which maps are
    upsampled for metrics. Computed in float64, so that a constant map stays constant.
    """
    values = np.asarray(values, dtype=np.float32)
    if values.shape == size:
        return values
    bilinear = {"order": 1, "mode": "edge", "anti_aliasing": False, "preserve_range": True, "clip": False}
    return np.asarray(resize(values, size, **bilinear), np.float32)  # type: ignore[no-untyped-call]


def area_means(maps: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return maps (N, h, w) resized to (H, W), each value the mean of the pixels that it covers at least in part.

    Equal but for rounding to ``torch.nn.functional.interpolate(mode="area")``: value i of H covers the pixels from
    ⌊i h / H⌋ up to, and without, ⌈(i + 1) h / H⌉.
    """
    with np.errstate(invalid="ignore"):  # the mean of ∞ and −∞ is NaN, as it should be
        return _means(_means(maps.astype(np.float64), 1, size[0]), 2, size[1]).astype(np.float32)


def _means(maps: Array, axis: int, parts: int) -> Array:
    """Return the means over ``parts`` equal ranges of an axis; ranges overlap where its length is no multiple."""

    length = maps.shape[axis]
    covered = [np.arange(i * length // parts, -((i + 1) * length // -parts)) for i in range(parts)]
    return np.stack([maps.take(pixels, axis).mean(axis) for pixels in covered], axis)

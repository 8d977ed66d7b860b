"""Units: the groups of pixels that are replaced together, ranked by their mean relevance.

A unit's relevance is the mean of the map over its pixels. The ranks of units become ranks of pixels: the pixels of a
unit come one after the other, and a point of a curve lies between two units.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.metrics.engine.counts import OF_ANY_UNITS
from heatmark.metrics.engine.perturbation import relevance_ranks

VERSION = 1
"""Raised by whoever changes the pixels of a unit, or the order of units."""

COMPACTNESS = 20.0
SIGMA_PIXELS = 1.0

Owners = Callable[[Tensor, int], Tensor]
"""(image (3, H, W), size) -> (H·W,) integers on the CPU: the number of each pixel's unit, counted from 0, no gaps."""


def patches(image: Tensor, size: int) -> Tensor:
    """Return the patch of each pixel, (H·W,): size × size pixels, those at the right and the bottom may be smaller."""
    height, width = image.shape[-2:]
    rows, columns = torch.arange(height) // size, torch.arange(width) // size
    return (rows[:, None] * (int(columns[-1]) + 1) + columns).flatten()


def slic_segments(image: Tensor, size: int) -> Tensor:
    """Return the SLIC segment of each pixel, (H·W,): about ``size`` segments, a function of the image alone.

    scikit-image scales the image to [0, 1] and converts it to Lab colours. Compactness 20 after a blur of 1 pixel,
    because its defaults merge a noisy image into a single segment. Achanta et al., TPAMI 2012.
    """
    from skimage.segmentation import slic  # a second, before the first forward pass of any sweep

    pixels = image.detach().permute(1, 2, 0).to("cpu", torch.float32).numpy()
    labels = slic(pixels, n_segments=size, compactness=COMPACTNESS, sigma=SIGMA_PIXELS, start_label=0, channel_axis=-1)
    return torch.from_numpy(np.unique(labels, return_inverse=True)[1].reshape(-1))


OWNERS: dict[str, Owners] = {"patch": patches, "slic": slic_segments}
SINGLE = ("pixel", "channel_pixel")
"""The units of one feature each: all channels of a pixel, or one channel of it."""
UNITS = (*SINGLE, *OWNERS)


def checked_unit(unit: str, size: int, counting: str) -> None:
    """Refuse units that no image has.

    Args:
        unit: ``pixel``, ``channel_pixel``, ``patch`` or ``slic``.
        size: 1 for pixels and their channels, pixels of a patch's side, or the number of segments.
        counting: how steps become counts.

    Raises:
        ValueError: for an unknown unit, a size out of its range, or a counting by which images of different numbers of
            segments have different numbers of points.
    """
    look_up("unit", unit, dict.fromkeys(UNITS))
    least = 2 if unit == "slic" else 1
    if not isinstance(size, int) or size < least or (unit in SINGLE and size != 1):
        expected = "1" if unit in SINGLE else f"a whole number from {least}"
        raise ValueError(f"unit_size={size!r} for unit={unit!r}, expected {expected}")
    if unit == "slic" and counting not in OF_ANY_UNITS:
        raise ValueError(
            f"counting={counting!r} gives images of different numbers of segments different numbers of points; "
            f"unit='slic' takes {', '.join(OF_ANY_UNITS)}"
        )


def stacked(images: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures of one channel whose pixels are the channels of the images' pixels, and their maps.

    The channels stand one below the other: (N, C, H, W) becomes (N, 1, C·H, W), and each has the map (N, H, W), which
    becomes (N, C·H, W).
    """
    return images.flatten(1, 2)[:, None], maps.repeat(1, images.shape[1], 1)


def unit_ranks(images: Tensor, maps: Tensor, ties: Tensor, unit: str, size: int) -> tuple[Tensor, Sequence[Tensor]]:
    """Return the rank of every pixel by its unit's relevance, (N, H·W), and where units end, per image.

    Args:
        images: (N, 3, H, W).
        maps: (N, H, W); the ranks of a map with NaN are meaningless.
        ties: (N, H·W), each image's pixels in the order that decides between equal units, by their first pixel in it.
        unit: ``patch`` or ``slic``.
        size: pixels of a patch's side, or the number of segments.

    Returns:
        Ranks, 0 for the most relevant, and for each image a tensor (U + 1,) on the CPU: the number of pixels of the u
        most relevant of its U units.
    """
    owners = look_up("unit", unit, OWNERS)
    ordered = [
        _ordered(owners(image, size), *each) for image, *each in zip(images, maps.cpu(), ties.cpu(), strict=True)
    ]
    return torch.stack([ranks for ranks, _ in ordered]).to(maps.device), [ends for _, ends in ordered]


def _ordered(owner: Tensor, relevance: Tensor, ties: Tensor) -> tuple[Tensor, Tensor]:
    """Return one image's ranks of pixels (H·W,), and the ends of its units (U + 1,)."""
    # in double precision on the CPU, where sums have one order: equal pixels have equal means
    sizes = owner.bincount()
    means = owner.bincount(relevance.flatten().double()) / sizes
    first = torch.empty_like(sizes).scatter_reduce_(0, owner, ties.argsort(), "amin", include_self=False)
    places = relevance_ranks(means.view(1, 1, -1), first.argsort()[None])[0]
    order = places[owner].argsort(stable=True)
    ends = torch.cat([sizes.new_zeros(1), sizes[places.argsort()].cumsum(0)])
    return order.argsort(), ends

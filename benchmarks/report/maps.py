"""Compression of maps and curves for the page: lower resolution, and one byte per value."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatmark.benchmarks.tables.resizing import area_means

Array = NDArray[Any]

SIDES = (32, 24, 20, 16, 12, 8)
"""Largest numbers of values per side of a map that are tried."""
LEVELS = 254
"""The byte of a row's largest value; its smallest is 0."""
UNDEFINED = 255
"""The byte of a value that is not finite."""


def affordable_side(sizes: Sequence[tuple[int, int, int]], budget: int) -> int:
    """Return the largest of :data:`SIDES` with which maps take at most ``budget`` bytes, else the smallest.

    Args:
        sizes: (N, h, w) of every array of maps.
        budget: in bytes, of which a value takes one.
    """
    for side in SIDES:
        if sum(n * min(h, side) * min(w, side) for n, h, w in sizes) <= budget:
            return side
    return SIDES[-1]


def shrink(maps: Array, side: int) -> Array:
    """Return maps (N, h, w) with at most ``side`` values per side, each the mean of the values that it covers."""
    height, width = (min(length, side) for length in maps.shape[-2:])
    return maps if maps.shape[-2:] == (height, width) else area_means(maps, (height, width))


def quantised(rows: Array) -> dict[str, Any]:
    """Return an array (N, …) with one byte per value: value = low + byte / 254 · (high − low).

    Returns:
        ``bytes`` (base64, in C order), and ``low`` and ``high`` of each of the N rows, to six digits. A value that is
        not finite has the byte 255; a row without a finite value has low = high = 0.
    """
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    finite = np.isfinite(flat)
    low, high = (
        np.where(finite.any(1), reduce(np.where(finite, flat, empty), axis=1), 0.0)
        for reduce, empty in ((np.min, np.inf), (np.max, -np.inf))
    )
    span = np.where(high > low, high - low, 1.0)
    levels = np.rint((np.where(finite, flat, low[:, None]) - low[:, None]) / span[:, None] * LEVELS)
    levels[~finite] = UNDEFINED
    digits = {name: [float(f"{x:.6g}") for x in ends] for name, ends in (("low", low), ("high", high))}
    return {"bytes": b64encode(levels.astype(np.uint8).tobytes()).decode(), **digits}


def thinned(fractions: Array, scores: Array, most: int = 40) -> tuple[Array, Array]:
    """Return at most ``most`` points of curves, evenly spaced, with the first and the last.

    Args:
        fractions: (K,).
        scores: (N, K).
        most: number of points.
    """
    if len(fractions) <= most:
        return fractions, scores
    kept = np.unique(np.rint(np.linspace(0, len(fractions) - 1, most)).astype(int))
    return fractions[kept], scores[:, kept]

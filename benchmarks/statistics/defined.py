"""Undefined values: their rows are left out and never filled in.  Values that are equal but for rounding: they tie."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROUNDING = 1e-9
"""Of the scores' mean magnitude: what differs by no more differs by rounding."""


def columnwise(values: Floats, function: Callable[[Floats], Floats], rows: int) -> Floats:
    """Apply a function of whole columns to the defined values of every column.

    Columns that are undefined (NaN) in the same rows go through ``function`` together.

    Args:
        values: (n, m).
        function: (n', m') without NaN → (rows, m').
        rows: how many numbers the function makes of a column.

    Returns:
        (rows, m).
    """
    results = np.full((rows, values.shape[1]), np.nan)
    for defined, columns in patterns(values):
        results[:, columns] = function(values[defined][:, columns])
    return results


def patterns(values: Floats) -> Iterator[tuple[Mask, Mask]]:
    """Yield which rows are defined, and the columns (n, m) of which they are; every column is in one of the sets."""
    if not values.size:
        return
    undefined, which = np.unique(np.isnan(values), axis=1, return_inverse=True)
    for position, rows in enumerate(undefined.T):
        yield ~rows, which.ravel() == position


def means(values: Floats) -> Floats:
    """Return the mean of the defined values of every column (n, m) → (m,); NaN where there are none."""
    count = (~np.isnan(values)).sum(axis=0)
    mean: Floats = np.divide(np.nansum(values, axis=0), count, out=np.full(values.shape[1], np.nan), where=count > 0)
    return mean


def tolerance(scores: Floats) -> float:
    """Return how far apart two scores may be and still be equal but for rounding."""
    magnitudes = np.abs(scores[np.isfinite(scores)])
    return ROUNDING * float(magnitudes.mean()) if magnitudes.size else 0.0


def tied(scores: Floats) -> Floats:
    """Return scores (n, m) without NaN, those of one row that only rounding tells apart made equal."""
    order = np.argsort(scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    apart = np.diff(ordered, axis=1, prepend=-np.inf) > tolerance(scores)
    first = np.maximum.accumulate(np.where(apart, np.arange(scores.shape[1]), 0), axis=1)
    result = np.empty_like(scores)
    np.put_along_axis(result, order, np.take_along_axis(ordered, first, axis=1), axis=1)
    return result

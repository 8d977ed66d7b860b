"""Undefined values, which are left out and never filled in, and values equal but for rounding, which tie."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROUNDING = 1e-9
"""Largest difference that counts as rounding, as a fraction of the scores' mean magnitude."""


def columnwise(values: Floats, function: Callable[[Floats], Floats], rows: int) -> Floats:
    """Return a function of whole columns, applied to the defined values of every column.

    Columns that are undefined (NaN) in the same rows go through ``function`` together.

    Args:
        values: (n, m), NaN where undefined.
        function: (n', m') without NaN → (rows, m').
        rows: how many numbers the function returns per column.

    Returns:
        (rows, m).
    """
    results = np.full((rows, values.shape[1]), np.nan)
    for defined, columns in patterns(values):
        results[:, columns] = function(values[defined][:, columns])
    return results


def patterns(values: Floats) -> Iterator[tuple[Mask, Mask]]:
    """Yield rows (n,), as a mask, and the columns (m,) that are defined in exactly these; every column comes once."""
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
    """Return the largest difference of two scores that counts as rounding."""
    magnitudes = np.abs(scores[np.isfinite(scores)])
    return ROUNDING * float(magnitudes.mean()) if magnitudes.size else 0.0


def tied(scores: Floats) -> Floats:
    """Return scores (n, m), given without NaN, with those of one row that differ by rounding made equal."""
    order = np.argsort(scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    apart = np.diff(ordered, axis=1, prepend=-np.inf) > tolerance(scores)
    first = np.maximum.accumulate(np.where(apart, np.arange(scores.shape[1]), 0), axis=1)
    result = np.empty_like(scores)
    np.put_along_axis(result, order, np.take_along_axis(ordered, first, axis=1), axis=1)
    return result

"""What to do with undefined values: leave their rows out, column by column, and never fill them in."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
    if not values.size:
        return results
    patterns, which = np.unique(np.isnan(values), axis=1, return_inverse=True)
    for position, undefined in enumerate(patterns.T):
        columns = which.ravel() == position
        results[:, columns] = function(values[~undefined][:, columns])
    return results


def means(values: Floats) -> Floats:
    """Return the mean of the defined values of every column (n, m) → (m,); NaN where there are none."""
    count = (~np.isnan(values)).sum(axis=0)
    mean: Floats = np.divide(np.nansum(values, axis=0), count, out=np.full(values.shape[1], np.nan), where=count > 0)
    return mean

"""Methods whose maps are equal on a model, such as one method of two libraries; found by comparing signatures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.asked import Asked
from heatmark.benchmarks.tables.found import found

TOLERANCE = 1e-3
"""Largest difference of two equal signatures, whose values are in [0, 1] and are rounded to 11 bits."""
VALUES = 16 * 16

Signatures = NDArray[np.floating[Any]]


def map_of(a: Asked, store: Store) -> dict[str, str]:
    """Return, by cell, the cell whose maps it repeats, or the cell itself; cells without maps are absent.

    Two cells of one setting are repeats of each other where their signatures (:mod:`heatmark.benchmarks.schema`) are
    equal but for rounding on every picture, and some map is not constant. Examples are Grad-CAM, HiResCAM and XGrad-CAM
    before global average pooling and a linear layer, and one method in two libraries. Of several repeats, the suite's
    own implementation is the original where it is among them, else the first in alphabetical order of methods.

    Args:
        a: what is asked of a setting.
        store: the run's store.
    """
    rows = [entry.row() for entry in a.entries]
    known = found(store, "maps", ["signature"], a.cells["maps"].tolist(), rows)
    grid = known.grid(a.cells["maps"].tolist(), rows)
    kept = known.take("signature", grid, None)
    first = a.cells.assign(foreign=a.cells["implementation"] != "heatmark", at=range(len(a.cells)))
    originals: list[tuple[str, Signatures]] = []
    result: dict[str, str] = {}
    for cell, place in first.sort_values(["foreign", "method", "layer", "cell"])[["cell", "at"]].itertuples(
        index=False
    ):
        if all(value is None for value in kept[place]):
            continue
        own = signatures(kept[place])
        result[cell] = next((other for other, its in originals if repeat(its, own)), cell)
        if result[cell] == cell:
            originals.append((cell, own))
    return result


def signatures(stored: Sequence[bytes | None]) -> Signatures:
    """Return stored signatures as (N, 256) float16; a picture without one is NaN."""
    absent = np.full(VALUES, np.nan, np.float16).tobytes()
    joined = b"".join(absent if value is None else value for value in stored)
    return np.frombuffer(joined, np.float16).reshape(-1, VALUES)


def repeat(first: Signatures, second: Signatures) -> bool:
    """Return whether signatures (N, 256) are equal on every image, and not constant on at least one."""
    if not _equal(first[:1], second[:1]):  # settles most pairs
        return False
    return _equal(first, second) and bool((np.nanmax(np.nan_to_num(first), axis=1) > 0).any())


def _equal(first: Signatures, second: Signatures) -> bool:
    return bool(np.allclose(first.astype(np.float32), second.astype(np.float32), 0, TOLERANCE, equal_nan=True))

"""Methods whose maps are equal on a model, such as one method of two libraries; found by comparing raw maps."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.tables.resizing import upsampled

TOLERANCE = 1e-3
"""Largest difference of two equal maps, as a fraction of their range. In sweeps of the embedded networks, methods that
are the same in theory differ by at most 1e-6 on every image, all others by at least 0.03 on some image."""

FLAT = 1e-6
"""Largest range of a map that is constant but for rounding, as a fraction of its largest magnitude."""

Array = NDArray[np.floating]


def with_repeats(results: pd.DataFrame, maps: Path) -> pd.DataFrame:
    """Return results with a column ``map_of``: the cell whose maps a row's cell repeats, or the cell itself.

    Two cells of one setting, on the same images and classes, are repeats of each other where :func:`one_map` holds on
    every image, and some image's map is not constant. Examples are Grad-CAM, HiResCAM and XGrad-CAM before global
    average pooling and a linear layer, and one method in two libraries. Of several repeats, ``map_of`` names the
    suite's own implementation where it is among them, else the first in alphabetical order of methods.

    Args:
        results: the results table.
        maps: folder of the run's raw maps, with one file ``CELL.npy`` (N, h, w) per cell. ``map_of`` is ``""`` for a
            cell without a file, and for rows without scores.
    """
    scored = results[results["metric"] != ""]
    found: dict[str, str] = {}
    for _, rows in scored.groupby(SETTING):
        found |= _originals(rows, maps)
    return results.assign(map_of=[found.get(str(cell), "") for cell in results["cell"]])


def _originals(rows: pd.DataFrame, maps: Path) -> dict[str, str]:
    """Return, for each cell of a setting that has maps, the first cell with these maps."""
    scored_on = rows.drop_duplicates(["cell", "image", "target"]).groupby("cell", sort=False)[["image", "target"]]
    asked = {str(cell): tuple(part.itertuples(index=False, name=None)) for cell, part in scored_on}
    first = rows.drop_duplicates("cell").assign(foreign=lambda frame: frame["implementation"] != "heatmark")
    found: dict[str, str] = {}
    originals: dict[str, Array] = {}
    for cell in map(str, first.sort_values(["foreign", "method", "layer", "cell"])["cell"]):
        if not (file := maps / f"{cell}.npy").exists():
            continue
        own = np.load(file, mmap_mode="r", allow_pickle=False)
        match = (other for other, its in originals.items() if asked[other] == asked[cell] and repeat(its, own))
        found[cell] = next(match, cell)
        if found[cell] == cell:
            originals[cell] = own
    return found


def repeat(first: Array, second: Array) -> bool:
    """Return whether maps (N, h, w) and (N, h', w') are equal on every image, and not constant on at least one."""
    if len(first) != len(second) or not all(one_map(a, b) for a, b in zip(first, second, strict=True)):
        return False
    return any(np.ptp(scaled(a)) > 0 for a in first)


def one_map(first: Array, second: Array) -> bool:
    """Return whether two raw maps are equal but for rounding, a positive factor and an offset.

    Both are upsampled to the larger size as for metrics, and scaled to [0, 1]; no value may then differ by more than
    :data:`TOLERANCE`. Such maps order pixels alike, but for those whose values differ by rounding.

    Args:
        first, second: (h, w) and (h', w').
    """
    size = (max(first.shape[0], second.shape[0]), max(first.shape[1], second.shape[1]))
    one, other = (scaled(upsampled(values, size)) for values in (first, second))
    return bool(np.allclose(one, other, rtol=0, atol=TOLERANCE, equal_nan=True))


def scaled(values: Array) -> Array:
    """Return a map scaled to [0, 1]: all 0 where it is constant.

    Of a map with values that are not finite, these become NaN and all others 0.
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        return np.where(np.isfinite(values), 0.0, np.nan)
    low, high = values.min(), values.max()
    if high - low <= FLAT * max(abs(low), abs(high)):
        return np.zeros_like(values)
    return np.asarray((values - low) / (high - low))

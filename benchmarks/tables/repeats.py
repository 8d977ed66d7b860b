"""Methods that are one map under two names on a model: found in a run's raw maps, before any score is looked at."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.tables.resizing import upsampled

TOLERANCE = 1e-3
"""Of a map's range. On sweeps of the shipped networks methods that are one differed by 1e-6 at the most, all others by
0.03 and more on some image."""

FLAT = 1e-6
"""A map whose range is no larger, relative to its largest magnitude, is constant but for rounding."""

Array = NDArray[np.floating]


def with_repeats(results: pd.DataFrame, maps: Path) -> pd.DataFrame:
    """Return results with a column ``map_of``: the cell whose maps these are, its own or one that it repeats.

    Two cells of one setting, on the same images and classes, repeat one another where :func:`one_map` holds on every
    image, and some image's map is not flat. Grad-CAM, HiResCAM and XGrad-CAM on a GAP + linear head are the classic
    case; a method and its library in another library are another. The suite's own implementation stands for the others,
    then the first name in the alphabet.

    Args:
        results: the results table.
        maps: the run's folder of raw maps, one ``CELL_KEY.npy`` (N, h, w) a cell; ``map_of`` is ``""`` for a cell
            without one, of which nothing is known.
    """
    scored = results[results["metric"] != ""]
    found: dict[str, str] = {}
    for _, rows in scored.groupby(SETTING):
        found |= _stands(rows, maps)
    return results.assign(map_of=[found.get(str(cell), "") for cell in results["cell"]])


def _stands(rows: pd.DataFrame, maps: Path) -> dict[str, str]:
    """Return the cell that stands for each cell of a setting that has maps."""
    scored_on = rows.drop_duplicates(["cell", "image", "target"]).groupby("cell", sort=False)[["image", "target"]]
    asked = {str(cell): tuple(part.itertuples(index=False, name=None)) for cell, part in scored_on}
    first = rows.drop_duplicates("cell").assign(foreign=lambda frame: frame["implementation"] != "heatmark")
    found: dict[str, str] = {}
    standing: dict[str, Array] = {}
    for cell in map(str, first.sort_values(["foreign", "method", "layer", "cell"])["cell"]):
        if not (file := maps / f"{cell}.npy").exists():
            continue
        own = np.load(file, mmap_mode="r", allow_pickle=False)
        match = (other for other, its in standing.items() if asked[other] == asked[cell] and repeat(its, own))
        found[cell] = next(match, cell)
        if found[cell] == cell:
            standing[cell] = own
    return found


def repeat(first: Array, second: Array) -> bool:
    """Say whether maps (N, h, w) and (N, h', w') are one map on every image, of which one at least is not flat."""
    if len(first) != len(second) or not all(one_map(a, b) for a, b in zip(first, second, strict=True)):
        return False
    return any(np.ptp(scaled(a)) > 0 for a in first)


def one_map(first: Array, second: Array) -> bool:
    """Say whether two raw maps are one but for rounding, a positive factor and an offset.

    The smaller is brought to the larger one's size as metrics see it; each is then scaled to [0, 1], and no value may
    differ by more than a thousandth. Equal so, they put pixels in one order, but for those that rounding moves.

    Args:
        first, second: (h, w), (h', w').
    """
    size = (max(first.shape[0], second.shape[0]), max(first.shape[1], second.shape[1]))
    one, other = (scaled(upsampled(values, size)) for values in (first, second))
    return bool(np.allclose(one, other, rtol=0, atol=TOLERANCE, equal_nan=True))


def scaled(values: Array) -> Array:
    """Return a map with its least value at 0 and its largest at 1; all 0 where it is flat, NaN where not finite."""
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        return np.where(np.isfinite(values), 0.0, np.nan)
    low, high = values.min(), values.max()
    if high - low <= FLAT * max(abs(low), abs(high)):
        return np.zeros_like(values)
    return np.asarray((values - low) / (high - low))

"""The results of two runs paired by cell, picture and replicate, and where they differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

CELL = ["model", "weights", "layer", "method", "options", "dataset", "target_rule", "metric", "definition"]
"""Columns that pair the cells of two runs: names and definitions, not the digests and keys that may differ."""
MORE = ["implementation", "device", "precision", "weights_digest", "images_digest", "cell"]
"""Columns that pair cells as well where a run has several of one name."""
ENTRY = ["image", "replicate"]
COMPARED = ["value", "status", "target"]

EQUAL, DIFFERENT, FIRST_ONLY, SECOND_ONLY = "equal", "different", "missing in the second", "missing in the first"


def diff(first: pd.DataFrame, second: pd.DataFrame, tolerance: float = 0.0) -> pd.DataFrame:
    """Return how far the results of two runs agree: one row per cell and metric.

    Its columns are those of :data:`CELL`; ``entries`` (pictures and replicates, of both runs together), ``different``
    and ``missing`` (their numbers), ``largest`` (largest |difference| of two values, infinite where one is NaN, status
    or class explained differs), and ``verdict``.

    Args:
        first, second: results tables.
        tolerance: largest difference that counts as none; 0 asks for the same bits.

    Raises:
        ValueError: for a negative tolerance.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}, expected a number of at least 0")
    on = _pairing(first, second)
    paired = _numbered(first, on).merge(
        _numbered(second, on), how="outer", on=[*on, "copy"], suffixes=("_1", "_2"), indicator="side"
    )
    paired["distance"] = _distance(paired)
    paired["left"], paired["right"] = paired["side"] == "left_only", paired["side"] == "right_only"
    paired["missing"] = paired["left"] | paired["right"]
    paired["differs"] = ~paired["missing"] & (paired["distance"] > tolerance)
    cells = [column for column in on if column not in ENTRY]
    found = paired.groupby(cells, sort=True, dropna=False, observed=True).agg(
        entries=("side", "size"), different=("differs", "sum"), missing=("missing", "sum"), largest=("distance", "max"),
        left=("left", "sum"), right=("right", "sum"),
    )  # fmt: skip
    found["verdict"] = np.select(
        [
            found["left"] == found["entries"],
            found["right"] == found["entries"],
            found["different"] + found["missing"] > 0,
        ],
        [FIRST_ONLY, SECOND_ONLY, DIFFERENT],
        EQUAL,
    )
    return found.drop(columns=["left", "right"]).reset_index()


def _pairing(first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """Return the columns that pair rows: more of them where names alone are ambiguous in one of the runs."""
    by_name = [*CELL, *ENTRY]
    ambiguous = any(frame.duplicated(by_name).any() for frame in (first, second))
    return [*CELL, *MORE, *ENTRY] if ambiguous else by_name


def _numbered(frame: pd.DataFrame, on: Sequence[str]) -> pd.DataFrame:
    """Return what is compared, with equal rows counted, so that each is paired once."""
    part = frame[[*on, *COMPARED]].copy()
    part["copy"] = part.groupby(list(on), dropna=False, observed=True).cumcount()
    return part


def _distance(paired: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return |a − b| of every pair, NaN where a side is missing; unequal bits are never 0, two NaN are equal."""
    a, b = (paired[f"value_{n}"].to_numpy(np.float64) for n in (1, 2))
    same = (a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        between = np.maximum(np.abs(a - b), np.finfo(np.float64).tiny)
    apart = np.where(np.isnan(a) | np.isnan(b), np.inf, between)
    other = (paired["status_1"] != paired["status_2"]) | (paired["target_1"] != paired["target_2"])
    found = np.where(same, 0.0, apart)
    return np.where(paired["side"] == "both", np.where(other, np.inf, found), np.nan)

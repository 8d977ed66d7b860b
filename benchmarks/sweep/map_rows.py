"""Rows of the artefact of maps: a map as bytes, what is wrong with it, and two short descriptions of it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import full_schema
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.degenerate import degeneracies, tied_among
from heatmark.common.resize import upsample

SIDE = 16
"""Values per side of a signature."""
LARGEST = 64
"""Longest side of a map that is kept for every picture; a larger one is kept for the gallery's pictures alone."""
GALLERY = 100
"""Number of pictures of a dataset, its first ones, that figures and reports may show."""
FLAT = 1e-6
"""Largest range of a map that is constant but for rounding, as a fraction of its largest magnitude."""


def map_rows(
    cell: Cell,
    entries: Mapping[int, Entry],
    maps: Mapping[int, Tensor],
    reasons: Mapping[int, str],
    size: tuple[int, int],
    keep: str,
) -> pa.Table:
    """Return the rows of a cell's maps of a block.

    Args:
        cell: the cell.
        entries: the block's pictures, by position.
        maps: raw maps (h, w) by the image's position.
        reasons: why an image has no map, by its position.
        size: (H, W) of the images.
        keep: ``all``, ``gallery`` or ``none``; see :class:`.settings.SweepSettings`.
    """
    rows = [_error(cell, entries[i].row(), why) for i, why in reasons.items()]
    for shape in dict.fromkeys(raw.shape for raw in maps.values()):  # maps that were made elsewhere may differ in it
        alike = {i: raw for i, raw in maps.items() if raw.shape == shape}
        rows += _described(cell.key, [entries[i] for i in alike], torch.stack(list(alike.values())), size, keep)
    return pa.Table.from_pylist(rows, schema=full_schema("maps"))


def failed_cell(cell: Cell, reason: str) -> pa.Table:
    """Return the one row of a cell that fails on all of its images."""
    return pa.Table.from_pylist([_error(cell, "", reason)], schema=full_schema("maps"))


def kept(keep: str, raw: Tensor, position: int) -> bool:
    """Return whether a map is stored."""
    return (keep == "all" and max(raw.shape) <= LARGEST) or (keep != "none" and position < GALLERY)


def _error(cell: Cell, row: str, reason: str) -> dict[str, Any]:
    return {"key": cell.key, "row": row, "status": "error", "reason": reason, "flag": ""}


def _described(
    key: str, entries: Sequence[Entry], raw: Tensor, size: tuple[int, int], keep: str
) -> Iterator[dict[str, Any]]:
    """Yield the rows of maps (n, h, w) of these pictures."""
    full = upsample(raw, size)
    values, order = (full.flatten(1) + 0).sort(dim=1, descending=True, stable=True)  # +0 makes −0 into 0
    facts = zip(entries, raw, full, order, degeneracies(raw), tied_among(values).tolist(), strict=True)
    for entry, own, scored, ranked, flag, tied in facts:
        yield {
            "key": key,
            "row": entry.row(),
            "status": "ok",
            "reason": "",
            "flag": flag,
            "tied": tied,
            "order": order_digest(ranked),
            "signature": signature(scored).tobytes(),
            "height": own.shape[0],
            "width": own.shape[1],
            "map": own.contiguous().numpy().tobytes() if kept(keep, own, entry.position) else None,
        }


def order_digest(ranked: Tensor) -> str:
    """Return a digest of the places of a map's pixels, (H·W,), from the largest value to the smallest."""
    return hashlib.sha256(ranked.to(torch.int32).numpy().tobytes()).hexdigest()[:16]


def signature(full: Tensor) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Return a map (H, W) as means over 16 × 16 parts, scaled to [0, 1], (16, 16); a constant map is 0.

    Of a map that is not finite, the parts with such values are NaN and all others 0.
    """
    coarse = F.adaptive_avg_pool2d(full[None].double(), SIDE)[0]
    low, high = coarse.min(), coarse.max()
    if not coarse.isfinite().all():
        scaled = torch.where(coarse.isfinite(), 0.0, torch.nan)
    elif high - low <= FLAT * max(abs(low), abs(high)):
        scaled = torch.zeros_like(coarse)
    else:
        scaled = (coarse - low) / (high - low)
    return scaled.numpy().astype(np.float16)


def stored_maps(table: pa.Table) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the maps (h, w) of rows of this artefact by row, and the reasons of those that are errors.

    A map that was not kept is in neither.
    """
    maps, reasons = {}, {}
    for row in table.select(["row", "status", "reason", "height", "width", "map"]).to_pylist():
        if row["status"] == "error":
            reasons[row["row"]] = row["reason"]
        elif row["map"] is not None:
            values = np.frombuffer(row["map"], np.float32).reshape(row["height"], row["width"])
            maps[row["row"]] = torch.from_numpy(values.copy())
    return maps, reasons

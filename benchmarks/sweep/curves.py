"""Curves of a block's maps: each path's curve is computed once, whatever number of metrics sum it up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import full_schema
from heatmark.benchmarks.sweep.explaining import Explaining
from heatmark.benchmarks.sweep.faults import isolated
from heatmark.benchmarks.sweep.keys import curve_key
from heatmark.common.batching import halving
from heatmark.metrics.base import Curve, Metric, Path, sums_up_curves, without_annotations


@dataclass(frozen=True)
class Point:
    """One image's curve: x and y, (K,) float32 on the CPU."""

    x: Tensor
    y: Tensor


Curves = dict[int, Point]
"""Curves by the image's position in its block."""


def paths(metrics: Mapping[str, Metric]) -> list[Path]:
    """Return the distinct paths of some metrics, those of their bounds among them."""
    curved = [metric for metric in metrics.values() if sums_up_curves(metric)]
    return list(dict.fromkeys(path for metric in curved for path in (metric.path, *metric.bounds)))


def curves_along(path: Path, explaining: Explaining, images: Sequence[int]) -> tuple[Curves, dict[int, str]]:
    """Return the curves of some images along a path, and why an image has none."""

    def run(which: Sequence[int]) -> list[Point]:
        return halving(
            lambda size: points(path.curve(without_annotations(explaining.batch(which, size, path.needs), path.needs))),
            explaining.run.batch_size,
        )

    return isolated(run, images)


def points(curve: Curve) -> list[Point]:
    """Return a batch's curves one by one."""
    x, y = curve.x.detach().float().cpu(), curve.y.detach().float().cpu()
    return [Point(x if x.ndim == 1 else x[n], y[n]) for n in range(len(y))]


def together(found: Sequence[Point]) -> Curve:
    """Return curves (K,) as one batch of curves."""
    return Curve(torch.stack([point.x for point in found]), torch.stack([point.y for point in found]), "stored")


def curve_rows(
    maps: str, path: Path, entries: Mapping[int, Entry], found: Curves, reasons: Mapping[int, str]
) -> pa.Table:
    """Return the rows of the curves of a cell along a path.

    Args:
        maps: key of the cell's maps.
        path: the path.
        entries: the block's pictures, by position.
        found: curves by the image's position.
        reasons: why an image has none.
    """
    key, ids = curve_key(maps, path), {i: entries[i].row(path.needs) for i in (*reasons, *found)}
    rows: list[dict[str, Any]] = [
        {"key": key, "row": ids[i], "status": "error", "reason": why} for i, why in reasons.items()
    ]
    rows += [
        {"key": key, "row": ids[i], "status": "ok", "reason": "", "x": point.x.numpy(), "y": point.y.numpy()}
        for i, point in found.items()
    ]
    return pa.Table.from_pylist(rows, schema=full_schema("curves"))


def stored_curves(table: pa.Table) -> tuple[dict[str, Point], dict[str, str]]:
    """Return the curves of rows of this artefact by row, and the reasons of those that are errors."""
    found, reasons = {}, {}
    for row, status, reason, x, y in _columns(table):
        if status == "error":
            reasons[row] = reason
        else:
            found[row] = Point(torch.from_numpy(np.array(x, np.float32)), torch.from_numpy(np.array(y, np.float32)))
    return found, reasons


def _columns(table: pa.Table) -> Iterator[tuple[str, str, str, object, object]]:
    texts = [table[name].to_pylist() for name in ("row", "status", "reason")]
    lists = [table[name].to_pandas() for name in ("x", "y")]
    yield from zip(*texts, *lists, strict=True)

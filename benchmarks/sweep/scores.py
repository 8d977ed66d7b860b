"""Scores of a cell in a block: each metric's values, from stored or new curves, or from batches of explained images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import full_schema
from heatmark.benchmarks.sweep.curves import Curves, together
from heatmark.benchmarks.sweep.explaining import Explaining
from heatmark.benchmarks.sweep.faults import isolated
from heatmark.common.batching import halving
from heatmark.metrics.base import CurveMetric, Metric, Path, Scores, sums_up_curves

UNDEFINED = "undefined"
"""The reason of a value that is NaN where the metric gives none."""


@dataclass(frozen=True)
class Value:
    """One image's score: its value, the bounds over orders of ties (NaN where not asked for), why it is undefined."""

    value: float
    reason: str = ""
    low: float = math.nan
    high: float = math.nan


def scored(
    metric: Metric, explaining: Explaining, images: Sequence[int], curves: Mapping[Path, Curves]
) -> tuple[dict[int, Value], dict[int, str]]:
    """Return the scores of some images under a metric, and why an image has none because something failed.

    Args:
        metric: the metric.
        explaining: the images, their maps and masks.
        images: positions of the images.
        curves: curves by path, for a metric that sums up curves.
    """
    if sums_up_curves(metric):
        return isolated(lambda which: _summed(metric, which, curves), images)
    return isolated(lambda which: _judged(metric, explaining, which), images)


def _summed(metric: CurveMetric, which: Sequence[int], curves: Mapping[Path, Curves]) -> list[Value]:
    all_orders = [
        _values(metric, metric.summarise(together([curves[path][i] for i in which])), len(which))
        for path in (metric.path, *metric.bounds)
    ]
    if not metric.bounds:
        return all_orders[0]
    return [
        Value(own.value, own.reason, *_range([order[n].value for order in all_orders]))
        for n, own in enumerate(all_orders[0])
    ]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest value; NaN where any of them is."""
    return (math.nan, math.nan) if any(map(math.isnan, values)) else (min(values), max(values))


def _judged(metric: Metric, explaining: Explaining, which: Sequence[int]) -> list[Value]:
    """Return the values of a metric that runs the model itself; every batch has the run's batch size."""

    def values(size: int) -> list[Value]:
        found: list[Value] = []
        for start in range(0, len(which), size):
            part = which[start : start + size]
            padded = [*part, *[part[-1]] * (size - len(part))]
            scores = metric(explaining.batch(padded, size, metric.needs))
            found += _values(metric, scores, size)[: len(part)]
        return found

    return halving(values, explaining.run.batch_size)


def _values(metric: Metric, scores: Scores, images: int) -> list[Value]:
    if tuple(scores.values.shape) != (images,):
        raise ValueError(
            f"{type(metric).__name__} gave {tuple(scores.values.shape)} for {images} images, expected (N,)"
        )
    values = scores.values.detach().double().cpu().tolist()
    reasons = scores.reasons or [""] * images
    return [_value(value, why) for value, why in zip(values, reasons, strict=True)]


def _value(value: float, why: str) -> Value:
    if math.isinf(value):  # no mean and no rank can hold it
        return Value(math.nan, why or f"the value is {value}")
    return Value(value, (why or UNDEFINED) if math.isnan(value) else "")


def score_rows(
    key: str, needs: Sequence[str], entries: Mapping[int, Entry], found: Mapping[int, Value], reasons: Mapping[int, str]
) -> pa.Table:
    """Return the rows of a metric's scores of a cell.

    Args:
        key: of the scores.
        needs: inputs that the metric needs, whose digests are part of a row's id.
        entries: the block's pictures, by position.
        found: scores by the image's position.
        reasons: why an image has none because something failed.
    """
    rows: list[dict[str, Any]] = [
        {"key": key, "row": entries[i].row(needs), "status": "error", "reason": why} for i, why in reasons.items()
    ]
    rows += [
        {
            "key": key, "row": entries[i].row(needs), "status": "ok", "reason": v.reason, "value": v.value,
            "tie_low": v.low, "tie_high": v.high,
        }
        for i, v in found.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=full_schema("scores"))

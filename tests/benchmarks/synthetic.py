"""Runs without a sweep: requests and stored rows with numbers of one's choice, for tests and for measurements."""

import hashlib
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Entry, Request, RequestedCell, RequestedMetric, RequestedScore
from heatmark.benchmarks.store import Store, full_schema

BLOCK = 64
METRICS = (
    RequestedMetric("deletion", "deletion:rise-2018", False),
    RequestedMetric("insertion", "insertion:rise-2018", True),
)
FACTS = {
    "model": "net", "weights": "own", "weights_digest": "0a" * 6, "dataset": "shapes", "target_rule": "predicted",
    "device_kind": "cpu", "precision": "fp32", "status": "done", "reason": "", "pictures_key": "p",
    "classes": ["a", "b"],
}  # fmt: skip
Values = Callable[[RequestedCell, RequestedMetric, Sequence[Entry]], np.ndarray]


def digest(*words: object) -> str:
    """Return a key, or an image's digest."""
    return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()


def entries(count: int, target: int = 3, **facts: Any) -> list[Entry]:
    """Return entries of pictures ``image-00000`` and so on."""
    return [Entry(f"image-{i:05d}", digest("image", i), target=target, position=i, **facts) for i in range(count)]


def cell(method: str, layer: str = "last", model: str = "net", **facts: Any) -> RequestedCell:
    """Return a cell whose key is a digest of its names."""
    library = {"pgc": "pytorch_grad_cam", "captum": "captum"}.get(method.split("_")[0], "heatmark")
    own = {"implementation": library, "options": "{}", "depth": "", "key": digest(model, layer, method)}
    return RequestedCell(layer=layer, method=method, **(own | facts))


def request(
    cells: Sequence[RequestedCell],
    pictures: Sequence[Entry],
    metrics: Sequence[RequestedMetric] = METRICS,
    curves: bool = True,
    **facts: Any,
) -> Request:
    """Return a request for all scores of some cells, whose metrics have curves unless they are derived."""
    scores = [
        RequestedScore(
            c.key, m.name, "" if m.terms else digest(c.key, m.definition),
            digest(c.key, "curve", m.definition) if curves and not m.terms else "",
        )
        for c in cells for m in metrics
    ]  # fmt: skip
    own = FACTS | facts
    job = digest(sorted(map(str, own.items())), [c.key for c in cells])
    subject = digest(own["model"], own["dataset"], own["target_rule"])
    return Request(job, subject, 1.0, "predictions", own, cells, metrics, scores, pictures)


@dataclass(frozen=True)
class Numbers:
    """What a synthetic run's rows hold.

    Args:
        values: scores of a cell under a metric.
        maps: raw maps (N, h, w) of a cell.
        flags: flag by cell's key and image.
        errors: reason by artefact, key and image, of rows that are errors.
        undefined: reason by key of the scores and image.
        points: number of points of a curve; 0 for none.
        keep: whether maps are stored.
    """

    values: Values
    maps: Callable[[RequestedCell, Sequence[Entry]], np.ndarray]
    flags: Mapping[tuple[str, str], str] = field(default_factory=dict)
    errors: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    undefined: Mapping[tuple[str, str], str] = field(default_factory=dict)
    points: int = 5
    keep: bool = True


def random_numbers(points: int = 5, **options: Any) -> Numbers:
    """Return numbers that depend on nothing but names: scores in [0, 1], maps of 7 × 7."""

    def rng(*words: object) -> np.random.Generator:
        return np.random.default_rng(int(digest(*words)[:16], 16))

    return Numbers(
        lambda c, m, some: rng(c.key, m.name, some[0].image).random(len(some)),
        lambda c, some: rng(c.key, some[0].image).random((len(some), 7, 7)).astype(np.float32),
        points=points,
        **options,
    )


def write(run: Path, asked: Request, numbers: Numbers) -> Path:
    """Write a request and its rows, in one part per block of 64 images and layer, as a sweep does."""
    requests.write(run, asked)
    store = Store(run)
    usable = [entry for entry in asked.entries if not entry.reason]
    layers = sorted({c.layer for c in asked.cells})
    for start in range(0, len(usable), BLOCK):
        block = usable[start : start + BLOCK]
        for layer in layers:
            cells = [c for c in asked.cells if c.layer == layer and not c.skipped]
            store.put("maps", joined("maps", [map_rows(c, block, numbers) for c in cells]))
            rows = list(_scores(asked, cells, block, numbers))
            store.put("scores", joined("scores", [scores for scores, _ in rows]))
            store.put("curves", joined("curves", [curves for _, curves in rows if curves is not None]))
    return run


def _scores(
    asked: Request, cells: Sequence[RequestedCell], block: Sequence[Entry], numbers: Numbers
) -> Iterator[tuple[pa.Table, pa.Table | None]]:
    metrics, by_key = {m.name: m for m in asked.metrics}, {c.key: c for c in cells}
    for score in asked.scores:
        metric = metrics[score.metric]
        if score.cell in by_key and not metric.terms and not metric.skipped:
            values = np.asarray(numbers.values(by_key[score.cell], metric, block), np.float64)
            scores = score_rows(score, metric, block, values, numbers)
            yield scores, curve_rows(score, block, values, numbers) if score.curve and numbers.points else None


def map_rows(c: RequestedCell, block: Sequence[Entry], numbers: Numbers) -> pa.Table:
    """Return a cell's rows of maps."""
    maps = np.asarray(numbers.maps(c, block), np.float32)
    reasons = [numbers.errors.get(("maps", c.key, entry.image), "") for entry in block]
    good = pa.array([not reason for reason in reasons])
    described = pa.table({
        "key": pa.repeat(c.key, len(block)), "row": [entry.row() for entry in block],
        "status": ["error" if reason else "ok" for reason in reasons], "reason": reasons,
        "flag": [numbers.flags.get((c.key, entry.image), "") for entry in block],
        "tied": np.linspace(0, 0.5, len(block)),
        "order": [digest(one.argsort(axis=None).tolist())[:16] for one in maps],
        "signature": [signature(one).tobytes() for one in maps],
        "height": pa.repeat(maps.shape[1], len(block)), "width": pa.repeat(maps.shape[2], len(block)),
        "map": [one.tobytes() if numbers.keep else None for one in maps],
    })  # fmt: skip
    hidden = {"flag", "tied", "order", "signature", "height", "width", "map"}
    for name in hidden & {*described.column_names}:
        column = described[name].combine_chunks()
        there = good if name != "flag" else pa.array([True] * len(block))
        described = described.set_column(
            described.column_names.index(name), name,
            pa.compute.if_else(there, column, pa.scalar(None, column.type)),
        )  # fmt: skip
    return described.cast(full_schema("maps"))


def score_rows(
    score: RequestedScore, metric: RequestedMetric, block: Sequence[Entry], values: np.ndarray, numbers: Numbers
) -> pa.Table:
    """Return a cell's rows of scores under a metric; NaN is an undefined value."""
    errors = [numbers.errors.get(("scores", score.key, entry.image), "") for entry in block]
    undefined = [
        numbers.undefined.get((score.key, entry.image), "undefined") if np.isnan(value) else ""
        for entry, value in zip(block, values, strict=True)
    ]
    return pa.table({
        "key": pa.repeat(score.key, len(block)), "row": [entry.row(metric.needs) for entry in block],
        "status": ["error" if reason else "ok" for reason in errors],
        "reason": [why or said for why, said in zip(errors, undefined, strict=True)],
        "value": values, "tie_low": values - 0.1, "tie_high": values + 0.1,
    }).cast(full_schema("scores"))  # fmt: skip


def curve_rows(score: RequestedScore, block: Sequence[Entry], values: np.ndarray, numbers: Numbers) -> pa.Table:
    """Return a cell's rows of curves: straight lines from an image's score to its half."""
    x = np.linspace(0, 1, numbers.points, dtype=np.float32)
    y = np.nan_to_num(values)[:, None].astype(np.float32) * (1 - x / 2)
    return pa.table({
        "key": pa.repeat(score.curve, len(block)), "row": [entry.row() for entry in block],
        "status": pa.repeat("ok", len(block)), "reason": pa.repeat("", len(block)),
        "x": lists(np.tile(x, (len(block), 1))), "y": lists(y),
    }).cast(full_schema("curves"))  # fmt: skip


def lists(values: np.ndarray) -> pa.ListArray:
    """Return an array (N, K) as N lists."""
    offsets = np.arange(0, values.size + 1, max(1, values.shape[1]), dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), pa.float32()))


def joined(artefact: str, tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables of one artefact as one."""
    return pa.concat_tables([full_schema(artefact).empty_table(), *tables])


def signature(one: np.ndarray) -> np.ndarray:
    """Return a map as 16 × 16 values, scaled to [0, 1]."""
    rows, columns = (np.arange(16) * length // 16 for length in one.shape)
    coarse = one[rows][:, columns].astype(np.float64)
    if not np.isfinite(coarse).all():
        return np.where(np.isfinite(coarse), 0.0, np.nan).astype(np.float16)
    span = np.ptp(coarse)
    return ((coarse - coarse.min()) / span if span > 0 else np.zeros_like(coarse)).astype(np.float16)


def failed_cell(run: Path, c: RequestedCell, reason: str) -> None:
    """Store that a cell failed on all of its images."""
    row = {"key": c.key, "row": "", "status": "error", "reason": reason, "flag": ""}
    Store(run).put("maps", pa.Table.from_pylist([row], schema=full_schema("maps")))


def timings(run: Path, cells: Sequence[RequestedCell], **columns: Any) -> None:
    """Store a timing of each cell."""
    own = {"batch_size": 4, "threads": 1, "latency_ms": 3.0, "forward_ms": 2.0, "cost_in_forwards": 1.5, "repeats": 5,
           "device": "a CPU", "status": "ok", "reason": ""}  # fmt: skip
    rows = [{"key": digest("timing", c.key), "maps": c.key, "row": "4.1", **own, **columns} for c in cells]
    Store(run).put("timings", pa.Table.from_pylist(rows, schema=full_schema("timings")))


def pictures(
    run: Path, some: Sequence[Entry], key: str = "p", grey: Callable[[Entry], int] = lambda e: e.position
) -> None:
    """Store a grey picture of each entry."""
    rows = [{"key": key, "row": entry.digest, "picture": solid(grey(entry))} for entry in some]
    Store(run).put("pictures", pa.Table.from_pylist(rows, schema=full_schema("pictures")))


def solid(grey: int) -> bytes:
    """Return the file of a grey picture of 8 × 8 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (grey,) * 3).save(file, "WEBP", lossless=True)
    return file.getvalue()


def large(run: Path, cells: int, images: int, points: int = 225, layers: int = 10) -> Path:
    """Write a run of two metrics with curves, of so many cells and images, for measurements."""
    every = [cell(f"method_{i:04d}", f"layer{i % layers}") for i in range(cells)]
    return write(run, request(every, entries(images)), random_numbers(points))


if __name__ == "__main__":
    large(Path(sys.argv[1]), *map(int, sys.argv[2:5]))

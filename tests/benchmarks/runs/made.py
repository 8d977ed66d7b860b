"""A run's folder made by hand: requests, stored rows, heartbeats."""

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Entry, Request, RequestedCell, RequestedMetric, RequestedScore
from heatmark.benchmarks.runs.heartbeat import Beat
from heatmark.benchmarks.store import Store, full_schema

ENTRIES = [
    Entry(f"{name}.png", name, target=3, inputs={"masks": f"mask-{name}"}, position=n) for n, name in enumerate("abc")
]
CELLS = [RequestedCell(f"k-{m}", "layer3", m, "heatmark", "{}", "0.9") for m in ("grad_cam", "rise")]
METRICS = [
    RequestedMetric("deletion", "deletion:1", False),
    RequestedMetric("pointing", "pointing:1", True, needs=["masks"]),
    RequestedMetric("srg", "srg:1", True, terms={"deletion": 1.0}),
]
SCORES = [
    RequestedScore(
        cell.key, name, f"{name}/{cell.key}" if name != "srg" else "", f"curve/{cell.key}" if name == "deletion" else ""
    )
    for cell in CELLS
    for name in ("deletion", "pointing", "srg")
]
FACTS = {
    "model": "net", "dataset": "shapes", "target_rule": "predicted", "status": "done", "pictures_key": "pics",
    "command": ["heatmark", "sweep", "model=net", "name=my run"], "shard_size": 3,
}  # fmt: skip


def request(job: str = "j" * 64, **changes: Any) -> Request:
    """Return a request of two cells and three metrics on three pictures."""
    facts = {**FACTS, **changes.pop("facts", {})}
    given = {"cells": CELLS, "metrics": METRICS, "scores": SCORES, "entries": ENTRIES, "written": 1.0, **changes}
    return Request(job, "s", predictions="preds", facts=facts, **given)


def write(root: Path, *requested: Request) -> Path:
    """Write requests into a folder."""
    for each in requested:
        requests.write(root, each)
    return root


def put(root: Path, artefact: str, key: str, rows: Sequence[str], status: str = "ok", **columns: Any) -> None:
    """Store rows of one key as a part."""
    schema = full_schema(artefact)
    values = {"status": status, "value": 0.5, "map": b"\0" * 16, "picture": b"webp", **columns}
    made = [{"key": key, "row": row, **{name: v for name, v in values.items() if name in schema.names}} for row in rows]
    Store(root).put(artefact, pa.Table.from_pylist(made, schema=schema))


def put_all(root: Path, entries: Sequence[Entry] = ENTRIES) -> None:
    """Store every row that :func:`request` asks for."""
    digests, rows = [e.digest for e in entries], [e.row() for e in entries]
    put(root, "predictions", "preds", digests)
    put(root, "pictures", "pics", digests)
    for cell in CELLS:
        put(root, "maps", cell.key, rows)
        put(root, "curves", f"curve/{cell.key}", rows)
        put(root, "scores", f"deletion/{cell.key}", rows)
        put(root, "scores", f"pointing/{cell.key}", [e.row(["masks"]) for e in entries])
        put(root, "timings", cell.key, ["cpu.8"])


def say(root: Path, stem: str, beat: Beat) -> None:
    """Write a process's heartbeat."""
    (root / "jobs").mkdir(parents=True, exist_ok=True)
    (root / "jobs" / f"{stem}.json").write_text(json.dumps(asdict(beat)))


def elsewhere(updated: float, **changes: Any) -> Beat:
    """Return the heartbeat of a process on another computer, begun at 0."""
    return Beat(**{"pid": 1, "host": f"not-{socket.gethostname()}", "started": 0.0, "updated": updated, **changes})

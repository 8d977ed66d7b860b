"""Requests: what a run's jobs ask for, one file per job and shard. A run's tables are these, joined with the store."""

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from heatmark.benchmarks.disk import replace_file
from heatmark.benchmarks.schema import SCHEMA

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One picture of a job, with the class to explain.

    Args:
        image: its name in the tables, unique in its dataset.
        digest: of the picture's file or pixels; ``""`` where it cannot be read.
        label: name of the true class, ``""`` where unknown.
        group: name of its group, ``""`` where it has none.
        label_index: the true class as an index of the model's logits, −1 where unknown.
        target: index of the class to explain, −1 where there is none.
        predicted: index of the most probable class, −1 where unknown.
        inputs: digest of each further input that a metric may need (``masks``, ``labels``), where the image has it.
        position: its place in the dataset, from 0.
        reason: why the picture cannot be explained; ``""`` where it can.
    """

    image: str
    digest: str
    label: str = ""
    group: str = ""
    label_index: int = -1
    target: int = -1
    predicted: int = -1
    inputs: Mapping[str, str] = field(default_factory=dict)
    position: int = 0
    reason: str = ""

    def row(self, needs: Iterable[str] = ()) -> str:
        """Return the id of this image's row in an artefact whose metric needs these inputs."""
        return row(self.digest, self.target, [self.inputs.get(name, "") for name in sorted(needs)])


def row(digest: str, target: int, inputs: Sequence[str] = ()) -> str:
    """Return the id of an image's row: its digest, the class explained and the digests of further inputs.

    Rows of predictions and pictures have the image's digest alone.
    """
    return ".".join([digest, str(target), *inputs])


@dataclass(frozen=True)
class RequestedCell:
    """A method at a layer, as a job asks for it.

    Args:
        key: the key of its maps.
        layer, method, implementation, options: as in the tables; ``options`` is JSON.
        depth: of its layer in the model, as text; ``""`` where unknown.
        skipped: why the method cannot explain this model or layer; ``""`` where it can.
        replicate: number of the draw, from 0; its ``options`` are those of replicate 0.
    """

    key: str
    layer: str
    method: str
    implementation: str
    options: str
    depth: str
    skipped: str = ""
    replicate: int = 0


@dataclass(frozen=True)
class RequestedMetric:
    """A metric, as a job asks for it.

    Args:
        name, definition: as in the tables.
        higher_is_better: None for a descriptive metric, which is never ranked.
        needs: names of the inputs of :class:`Entry` that its rows depend on.
        terms: factor by the name of another metric, for a derived metric, whose value is their weighted sum.
        skipped: why no picture of the job has a value; ``""`` where some has. :func:`current` finds what they all lack.
        options: all of them, as JSON.
    """

    name: str
    definition: str
    higher_is_better: bool | None
    needs: Sequence[str] = ()
    terms: Mapping[str, float] = field(default_factory=dict)
    skipped: str = ""
    options: str = "{}"


@dataclass(frozen=True)
class RequestedScore:
    """The scores of one cell under one metric.

    Args:
        cell: key of the cell's maps.
        metric: name of the metric.
        key: key of the scores; ``""`` for a derived metric.
        curve: key of the curves that they sum up; ``""`` without a curve.
        bounds: keys of further curves that bound the value.
        replicate: number of the draw of the cell, of the metric or of both, from 0.
    """

    cell: str
    metric: str
    key: str
    curve: str = ""
    bounds: Sequence[str] = ()
    replicate: int = 0


@dataclass(frozen=True)
class Request:
    """What one job, or one shard of it, asks for.

    Args:
        job: digest of what was given (options that change only speed, and the number of images, are left out): the same
            job given again replaces its own request.
        subject: digest of the job's model, dataset, target rule, device and precision as given. Entries of one name
            under one subject are the same picture, and among those with equal predictions the newest request's facts of
            it are the true ones.
        written: when it was written, seconds since 1970.
        predictions: key of the predictions.
        facts: of the job, as in provenance.json: model, weights, weights_digest, dataset, target_rule, device,
            precision, images, config, batch_size, versions, classes, status (``running``, ``done``, ``error``), …
        cells, metrics, scores, entries: what it asks for.
        shard: number of the shard and how many there are.
    """

    job: str
    subject: str
    written: float
    predictions: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    cells: Sequence[RequestedCell] = ()
    metrics: Sequence[RequestedMetric] = ()
    scores: Sequence[RequestedScore] = ()
    entries: Sequence[Entry] = ()
    shard: tuple[int, int] = (0, 1)

    @property
    def file(self) -> str:
        """The name of its file below ``requests/``."""
        return f"{self.job[:32]}.{self.shard[0]}-of-{self.shard[1]}.json"


def write(root: Path, request: Request) -> None:
    """Write a request into a run's folder, whole or not at all; it replaces the one of the same job and shard.

    A request of a whole dataset replaces those of the job's shards.
    """
    save(root, request)
    if request.shard == (0, 1):
        for other in (root / "requests").glob(f"{request.job[:32]}.*.json"):
            if other.name != request.file:
                other.unlink(missing_ok=True)


def save(root: Path, request: Request) -> None:
    """Write a request in the place of the one of the same job and shard, whole or not at all."""
    path = root / "requests" / request.file
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps({"schema": SCHEMA, **asdict(request)}).encode())


def read(root: Path) -> list[Request]:
    """Return a run's requests as they were written, in the order of their files' names.

    A damaged file is named in a warning and moved to ``damaged/``; its sweep, run again, writes it anew.

    Raises:
        ValueError: for a file of another version of Heatmark; it names the file.
    """
    found = (read_file(root, path.name) for path in sorted((root / "requests").glob("[!.]*.json")))
    return [request for request in found if request is not None]


def read_file(root: Path, name: str) -> Request | None:
    """Return the request in a file of this name; None where there is none, or where it was damaged and is set aside.

    Raises:
        ValueError: for a file of another version of Heatmark; it names the file.
    """
    path = root / "requests" / name
    try:
        return _read(path)
    except FileNotFoundError:  # never written, or replaced by that of the whole dataset meanwhile
        return None
    except _DamagedError as error:
        log.warning("the request %s is damaged (%s) and is set aside; run its sweep again", path, error)
        (root / "damaged").mkdir(exist_ok=True)
        path.replace(root / "damaged" / name)
        return None


def current(root: Path) -> list[Request]:
    """Return what a run asks for now: one request per job, its shards united, every entry as the newest request has it.

    Raises:
        ValueError: as :func:`read`.
    """
    found = sorted(read(root), key=lambda request: (request.written, request.job, request.shard))
    newest = {(r.subject, r.predictions, entry.image): entry for r in found for entry in r.entries}
    jobs: dict[str, list[Request]] = {}
    for request in found:
        jobs.setdefault(request.job, []).append(request)
    return [_united(shards, newest) for _, shards in sorted(jobs.items())]


def _united(shards: Sequence[Request], newest: Mapping[tuple[str, str, str], Entry]) -> Request:
    last = shards[-1]
    entries = {e.image: newest[shard.subject, shard.predictions, e.image] for shard in shards for e in shard.entries}
    statuses = [str(shard.facts.get("status", "")) for shard in shards]
    worst = next((s for s in ("error", "running") if s in statuses), "done")
    return replace(
        last,
        entries=sorted(entries.values(), key=lambda entry: entry.position),
        metrics=[
            replace(metric, skipped=metric.skipped or _skipped(metric, entries.values())) for metric in last.metrics
        ],
        facts={**last.facts, **counted(entries.values()), "status": worst},
        shard=(0, 1),
    )


def _skipped(metric: RequestedMetric, entries: Collection[Entry]) -> str:
    """Return why a metric has no value at all: no picture has an input that it needs; ``""`` where some has."""
    usable = [entry for entry in entries if not entry.reason]
    absent = [name for name in metric.needs if usable and not any(entry.inputs.get(name) for entry in usable)]
    return f"the dataset has no {' and no '.join(absent)}" if absent else ""


class _DamagedError(Exception):
    """The content of a file is no request."""


def _read(path: Path) -> Request:
    content = path.read_bytes()
    try:
        found = json.loads(content)
        schema = found.pop("schema")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise _DamagedError(str(error)) from error
    if schema != SCHEMA:
        raise ValueError(f"the request {path} has schema {schema}, this version of Heatmark reads {SCHEMA}")
    try:
        made = _made(found)
        if made.file != path.name:  # written again under its own name it would lie elsewhere, perhaps in another folder
            raise ValueError(f"it is the request of another file, {made.file}")
    except (TypeError, KeyError, ValueError) as error:
        raise _DamagedError(str(error)) from error
    return made


def counted(entries: Collection[Entry]) -> dict[str, Any]:
    """Return the number of pictures, of labelled ones, and the accuracy on these; None where there are none."""
    usable = [entry for entry in entries if not entry.reason]
    labelled = [entry for entry in usable if entry.label_index >= 0]
    correct = sum(entry.predicted == entry.label_index for entry in labelled)
    accuracy = correct / len(labelled) if labelled else None
    return {"images": len(entries), "labelled": len(labelled), "accuracy": accuracy}


def _made(found: dict[str, Any]) -> Request:
    made: dict[str, Any] = {
        "cells": [RequestedCell(**c) for c in found.pop("cells")],
        "metrics": [RequestedMetric(**m) for m in found.pop("metrics")],
        "scores": [RequestedScore(**s) for s in found.pop("scores")],
        "entries": [Entry(**e) for e in found.pop("entries")],
        "shard": tuple(found.pop("shard")),
    }
    return Request(**found, **made)

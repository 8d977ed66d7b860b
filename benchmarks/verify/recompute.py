"""The rows of a job computed again by a sweep of their own, under the settings that the job records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from heatmark.benchmarks import api, requests
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import GIVEN, SweepSettings
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.tables.jobs import Job
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric

Row = Mapping[str, Any]
Place = tuple[str, str, str, str, int]
"""Layer, method, metric, the picture's name here, replicate."""

MOST_IMAGES = 4096
"""The largest batch size that is taken from a run's folder."""


@dataclass(frozen=True)
class Recomputed:
    """What a sweep of some of a job's pictures gave.

    Args:
        entries: the pictures by digest, several where they are equal but for their labels or masks.
        rows: of the results table.
        cells: why a cell gave nothing at all, by layer and method.
        reason: why nothing could be computed; ``""`` where it could.
    """

    entries: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    rows: Mapping[Place, Row] = field(default_factory=dict)
    cells: Mapping[tuple[str, str], str] = field(default_factory=dict)
    reason: str = ""


def seed_of(job: Job) -> int:
    """Return the seed of a job."""
    return int(job.request.facts.get("seed", 0))


def recompute(
    job: Job,
    classifier: Classifier,
    pictures: Dataset,
    targets: Sequence[int],
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    layers: Sequence[str],
    device: torch.device,
) -> Recomputed:
    """Return a job's rows of these pictures, computed with its batch size, precision, target rule and seed.

    Args:
        job: the job.
        classifier: the reader's model.
        pictures: the reader's pictures.
        targets: the class that the job explains of each, for a job whose classes were given picture by picture.
        methods, metrics: by their names in the job; without any, nothing is computed.
        layers: dotted names.
        device: the device.
    """
    if not (len(pictures) and methods and metrics):
        return Recomputed()
    with TemporaryDirectory() as folder:
        record = JobRecord(Path(folder), {"model": classifier.name, "dataset": pictures.name}, classifier.name)
        try:
            api.sweep(classifier, pictures, methods, metrics, _settings(job, targets, layers, device), record)
        except ValueError as error:  # such as a target rule that the reader's pictures have no labels for
            return Recomputed(reason=str(error))
        return _read(Path(folder))


def _settings(job: Job, targets: Sequence[int], layers: Sequence[str], device: torch.device) -> SweepSettings:
    facts = job.request.facts
    rule = str(facts["target_rule"])
    return SweepSettings(
        layers=layers,
        target=targets if rule == GIVEN else rule,
        device=str(device),
        precision=str(facts["precision"]),
        batch_size=_batch_size(facts["batch_size"]),
        seed=seed_of(job),
        replicates=int(facts.get("replicates", 1)),
        timing=False,
        keep_maps="none",
    )


def _batch_size(recorded: object) -> int:
    """Return a job's batch size.

    Raises:
        ValueError: for none that a sweep has had; short batches are filled up to it, and memory would end.
    """
    if not isinstance(recorded, int) or not 1 <= recorded <= MOST_IMAGES:
        raise ValueError(f"the run's batch_size is {recorded!r}, expected 1 to {MOST_IMAGES}")
    return recorded


def _read(folder: Path) -> Recomputed:
    (request,) = requests.current(folder)
    entries: dict[str, list[Entry]] = {}
    for entry in request.entries:
        entries.setdefault(entry.digest, []).append(entry)
    table: list[Any] = gather(folder).to_dict("records")
    return Recomputed(
        entries,
        {
            (row["layer"], row["method"], row["metric"], row["image"], row["replicate"]): row
            for row in table
            if row["image"] and row["metric"]
        },
        {(row["layer"], row["method"]): row["reason"] for row in table if not row["image"]},
    )

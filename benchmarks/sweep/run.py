"""The loop of a sweep over a job's cells: maps, scores, timing, store; a cell that fails is a row, and others go on."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict

from torch import nn

from heatmark.benchmarks.store import Record, Store
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.degenerate import degeneracies
from heatmark.benchmarks.sweep.job import Job
from heatmark.benchmarks.sweep.maps import raw_maps
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.scores import scores
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.benchmarks.sweep.timings import time_cell
from heatmark.common.batching import halving
from heatmark.common.identity import options
from heatmark.common.resize import upsample
from heatmark.metrics.base import Metric

log = logging.getLogger(__name__)


class Observer:
    """An observer of a sweep, whose methods are called while it runs; this one shows nothing."""

    def planned(self, plan: Plan) -> None:
        """Called once, when the job's cells are known."""

    def begins(self, cell: Cell) -> None:
        """Called before each cell."""

    def ended(self, cell: Cell, status: str) -> None:
        """Called after each cell with its status: ``ok``, ``skipped``, ``error``, or ``done`` if it was done before."""


def run(plan: Plan, store: Store, observer: Observer) -> None:
    """Run every cell of a plan that is not finished yet, and store what it leaves."""
    for cell in plan.cells:
        observer.begins(cell)
        if store.finished(cell.key):
            observer.ended(cell, "done")
            continue
        record = run_cell(cell, plan.job, plan.metrics, plan.settings)
        store.write(record)
        observer.ended(cell, record.status)


def run_cell(cell: Cell, job: Job, metrics: Mapping[str, Metric], settings: RunSettings) -> Record:
    """Return the record of a cell: its numbers, or the reason why there are none."""
    columns = _columns(cell, job, settings)
    try:
        if reason := cell.method.unsupported(job.classifier.module, cell.layer):
            return Record(cell.key, columns, "skipped", reason, identity=cell.identity)
        return _measured(cell, job, metrics, settings, columns)
    except Exception as error:  # whatever a method or metric raises is this cell's result
        log.debug("cell %s failed", cell.key, exc_info=True)
        return Record(cell.key, columns, "error", f"{type(error).__name__}: {error}", identity=cell.identity)


def _measured(
    cell: Cell, job: Job, metrics: Mapping[str, Metric], settings: RunSettings, columns: Mapping[str, str]
) -> Record:
    raw = halving(lambda size: raw_maps(cell, job, settings.device, size), settings.batch_size)
    maps = upsample(raw, (job.image_set.images.shape[-2], job.image_set.images.shape[-1]))
    measured = scores(cell, job, maps, metrics, settings)
    timing = halving(lambda size: time_cell(cell, job, settings, size), settings.batch_size)
    return Record(
        cell.key,
        columns,
        images=job.image_set.names,
        groups=job.image_set.groups,
        targets=job.targets.tolist(),
        flags=degeneracies(raw),
        metrics=measured,
        timing=[asdict(timing)],
        maps=raw.numpy(),
        identity=cell.identity,
    )


def _columns(cell: Cell, job: Job, settings: RunSettings) -> dict[str, str]:
    return {
        "model": job.classifier.name,
        "weights": job.classifier.weights,
        "layer": cell.layer,
        "method": cell.method_name,
        "implementation": cell.method.implementation,
        "dataset": job.dataset,
        "target_rule": str(job.settings["target"]),
        "device": settings.device.type,
        "precision": settings.precision,
        "weights_digest": str(cell.identity.get("weights", ""))[:12],
        "images_digest": job.image_set.pictures[:12],
        "options": json.dumps(options(cell.method), sort_keys=True, separators=(",", ":")),
        "depth": _depth(job.classifier.module, cell.layer),
    }


def _depth(module: nn.Module, layer: str) -> str:
    """Return a layer's depth, the share of the model's modules that have run once it has; ``""`` for what is no layer.

    Modules are taken in the order of their definition; a module has run when its last submodule has.
    """
    names = [name for name, _ in module.named_modules()]
    if layer not in names:
        return ""
    last = max(i for i, name in enumerate(names) if f"{name}.".startswith(f"{layer}."))
    around = sum(name == "" or layer.startswith(f"{name}.") for name in names)
    return str((last + 1 - around) / len(names))

"""Timings of a job's cells, in a phase of their own: the cost of each method in milliseconds and in plain forwards."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import torch
from filelock import FileLock

from heatmark.benchmarks.machine.provenance import device_name
from heatmark.benchmarks.machine.timing import Timing, time_against_forward
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.store import Store, full_schema
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.faults import broken_device, said
from heatmark.benchmarks.sweep.keys import timing_key
from heatmark.benchmarks.sweep.maps import Batch
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.settings import RunSettings, SweepSettings
from heatmark.common.batching import halving, with_batch_size


def timed_alone(run: Path) -> FileLock:
    """Return the lock that a process holds while it times: two that time at once would slow each other down."""
    run.mkdir(parents=True, exist_ok=True)
    return FileLock(run / ".timing.lock")


def time_cells(cells: Sequence[Cell], plan: Plan, batch: Batch, store: Store, observer: Observer) -> None:
    """Time the methods of all cells that have no timing yet on this device, and store each.

    Args:
        cells: the cells, without those that failed.
        plan: the job: its model, device, batch size, precision, number of repeats and the longest time per cell.
        batch: images to explain, at least one; the first batch of them is timed.
        store: the run's store.
        observer: is told of each cell.
    """
    missing = list(untimed(cells, plan.run, min(plan.run.batch_size, len(batch.images)), store))
    for number, (cell, key, row) in enumerate(missing, 1):
        observer.times(cell, number, len(missing))
        store.put("timings", _row(cell, key, row, plan.classifier, batch, plan.run, plan.asked))


def untimed(cells: Sequence[Cell], run: RunSettings, size: int, store: Store) -> Iterator[tuple[Cell, str, str]]:
    """Yield the cells that have no timing on this device, each with the key and the row of its timing.

    Args:
        cells: the cells.
        run: device, and whether errors are timed again.
        size: images per timed call.
        store: the run's store.
    """
    where, row = device_name(run.device), f"{size}.{torch.get_num_threads()}"
    keys = {cell.key: timing_key(cell.key, where, torch.__version__) for cell in cells}
    there = store.present("timings", list(keys.values()), errors=not run.retry)
    return ((cell, keys[cell.key], row) for cell in cells if row not in there.get(keys[cell.key], ()))


def _row(
    cell: Cell, key: str, row: str, classifier: Classifier, batch: Batch, run: RunSettings, asked: SweepSettings
) -> pa.Table:
    try:
        timing = halving(lambda size: time_cell(cell, classifier, batch, run, asked, size), run.batch_size)
        found = {**asdict(timing), "status": "ok", "reason": ""}
    except Exception as error:  # a method that cannot be timed costs no other its timing
        if broken_device(error):
            raise
        found = {"status": "error", "reason": said(error)}
    found = {"key": key, "row": row, "maps": cell.key, "threads": torch.get_num_threads(), **found}
    return pa.Table.from_pylist([found], schema=full_schema("timings"))


def time_cell(
    cell: Cell, classifier: Classifier, batch: Batch, run: RunSettings, asked: SweepSettings, size: int
) -> Timing:
    """Return the timing of a cell's method on one batch, in turn with plain forward passes of it."""
    model = classifier.module
    images, targets = batch.images[:size].to(run.device), batch.targets[:size].to(run.device)
    method = with_batch_size(cell.method, size)

    @torch.inference_mode()
    def forward() -> object:
        return model(images)

    return time_against_forward(
        lambda: method(model, images, targets, cell.layer),
        forward,
        run.device,
        batch_size=len(images),
        precision=run.precision,
        repeats=asked.repeats,
        max_seconds=asked.max_seconds,
    )

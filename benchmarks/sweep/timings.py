"""Timings of a job's cells, in a phase of their own: the cost of each method in milliseconds and in plain forwards."""

from collections.abc import Sequence
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
from heatmark.benchmarks.sweep.settings import RunSettings, SweepSettings
from heatmark.common.batching import halving, with_batch_size


def timed_alone(run: Path) -> FileLock:
    """Return the lock that a process holds while it times: two that time at once would slow each other down."""
    run.mkdir(parents=True, exist_ok=True)
    return FileLock(run / ".timing.lock")


def time_cells(
    cells: Sequence[Cell], classifier: Classifier, batch: Batch, run: RunSettings, asked: SweepSettings, store: Store
) -> None:
    """Time the methods of all cells that have no timing yet on this device, and store each.

    Args:
        cells: the cells, without those that failed.
        classifier: the model.
        batch: images to explain, at least one; the first batch of them is timed.
        run: device, batch size, precision.
        asked: number of repeats and the longest time per cell.
        store: the run's store.
    """
    where = device_name(run.device)
    keys = {cell.key: timing_key(cell.key, where, torch.__version__) for cell in cells}
    there = store.present("timings", list(keys.values()), errors=not run.retry)
    for cell in cells:
        row = f"{min(run.batch_size, len(batch.images))}.{torch.get_num_threads()}"
        if row not in there.get(keys[cell.key], ()):
            store.put("timings", _row(cell, keys[cell.key], row, classifier, batch, run, asked))


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

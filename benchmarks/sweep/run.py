"""The loop of a job over its blocks: predictions, maps, curves, scores, store; then a phase of timings."""

from collections.abc import Iterator
from dataclasses import replace

from heatmark.benchmarks.sweep.blocks import Block, blocks
from heatmark.benchmarks.sweep.cells import by_layer
from heatmark.benchmarks.sweep.map_rows import GALLERY
from heatmark.benchmarks.sweep.maps import Batch
from heatmark.benchmarks.sweep.needs import stored
from heatmark.benchmarks.sweep.observer import Observer, Step
from heatmark.benchmarks.sweep.pictures import pictures
from heatmark.benchmarks.sweep.predictions import Predicted, predicted
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.replicates import Round
from heatmark.benchmarks.sweep.reuse import reuse, wanted
from heatmark.benchmarks.sweep.timings import time_cells, timed_alone
from heatmark.benchmarks.sweep.work import Progress, Work, compute
from heatmark.methods.given import GivenMaps


def run(plan: Plan, record: JobRecord, observer: Observer) -> None:
    """Run all blocks of a job and store what they lack; then time its cells, where that is asked for.

    Raises:
        ValueError: where the model explains nothing: its logits are not finite, or no label is a class of it.
    """
    if plan.asked.reuse:
        record.reused(reuse(record.store, plan.asked.reuse, wanted(plan)))
    progress = Progress()
    works = [_work(plan, each, record, progress, observer) for each in plan.rounds]
    sample: Batch | None = None
    for block in _predicted_blocks(plan, record, progress, observer):
        if len(block.images):
            for each, work in zip(plan.rounds, works, strict=True):
                for cells in by_layer(each.cells).values():
                    compute(work, block, cells)
            sample = sample or _sample(block)
        observer.ended(len(block.entries), progress.errors)
    _time(plan, record, progress, sample, observer)
    record.done()


def _work(plan: Plan, which: Round, record: JobRecord, progress: Progress, observer: Observer) -> Work:
    store, settings = record.store, plan.run
    there = stored(store, which.cells, which.metrics, settings.seed, settings.retry)
    return Work(plan.classifier, which.metrics, settings, store, there, progress, observer)


def _predicted_blocks(plan: Plan, record: JobRecord, progress: Progress, observer: Observer) -> Iterator[Predicted]:
    """Yield the job's blocks with their targets, once their pictures and entries are stored."""
    positions = plan.asked.shard.positions(len(plan.dataset))
    for number, block in enumerate(
        blocks(plan.dataset, plan.classifier, positions, plan.asked.block_size, plan.reference.shape[1:])
    ):
        _keep_pictures(plan, record, block)
        block = replace(block, images=block.images.to(plan.run.device))  # once, for all cells and metrics
        observer.begins(Step((), len(block.entries)))
        found = predicted(block, plan.classifier, plan.key, record.store, plan.asked.target, plan.run)
        if number == 0:
            _require_an_image(found)
        progress.errors += sum(bool(entry.reason) for entry in found.entries)
        record.entries(found.entries)
        yield found


def _require_an_image(block: Predicted) -> None:
    """Raise where no picture of the first block can be explained, for one reason: nothing that follows would differ."""
    reasons = {entry.reason for entry in block.entries}
    if not block.images and len(reasons) == 1 and len(block.entries) > 1:
        raise ValueError(f"none of the first {len(block.entries)} pictures can be explained: {reasons.pop()}")


def _keep_pictures(plan: Plan, record: JobRecord, block: Block) -> None:
    key = str(plan.request.facts["pictures_key"])
    shown = [entry.digest for entry in block.entries if entry.position < GALLERY]
    if not shown:
        return
    there = record.store.present("pictures", [key])[key]
    if not all(digest in there for digest in shown):
        record.store.put("pictures", pictures(block, plan.classifier, key))


def _sample(block: Predicted) -> Batch:
    """Return the block's images that can be explained, for timing."""
    places = list(block.images)
    return Batch(block.block.images[places], block.targets[places])


def _time(plan: Plan, record: JobRecord, progress: Progress, sample: Batch | None, observer: Observer) -> None:
    able = [cell for cell in plan.cells if cell.key not in progress.failed]
    cells = [cell for cell in able if not isinstance(cell.method, GivenMaps)]  # maps made elsewhere have no cost here
    if plan.asked.timed and sample is not None and cells:
        with timed_alone(record.root):
            time_cells(cells, plan, sample, record.store, observer)

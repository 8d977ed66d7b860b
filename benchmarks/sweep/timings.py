"""The timing of a cell: the cost of its method in milliseconds and in plain forward passes."""

import torch

from heatmark.benchmarks.machine.timing import Timing, time_against_forward
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.job import Job
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.common.batching import with_batch_size


def time_cell(cell: Cell, job: Job, settings: RunSettings, batch_size: int) -> Timing:
    """Return the timing of a cell's method on the job's first batch, in turn with plain forward passes of it."""
    model = job.classifier.module
    images = job.image_set.images[:batch_size].to(settings.device)
    targets = job.targets[:batch_size].to(settings.device)
    method = with_batch_size(cell.method, batch_size)

    @torch.inference_mode()
    def forward() -> object:
        return model(images)

    return time_against_forward(
        lambda: method(model, images, targets, cell.layer),
        forward,
        settings.device,
        batch_size=len(images),
        precision=settings.precision,
        repeats=settings.repeats,
        max_seconds=settings.max_seconds,
    )

"""Scores of a cell: every metric's values, curves and bounds, computed from batches of explained images."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.benchmarks.store import Measured
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.degenerate import tied_share
from heatmark.benchmarks.sweep.job import Job
from heatmark.benchmarks.sweep.maps import CellMethod
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.common.batching import halving
from heatmark.common.identity import definition
from heatmark.metrics.base import CurveMetric, Curves, Explained, Metric


def scores(
    cell: Cell, job: Job, maps: Tensor, metrics: Mapping[str, Metric], settings: RunSettings
) -> dict[str, Measured]:
    """Return every metric's scores of a cell's maps, by the metric's name.

    Args:
        cell: the cell that the maps belong to.
        job: its images, targets and masks.
        maps: (N, H, W) on the CPU, upsampled to the images.
        metrics: by name.
        settings: device and batch size; the batch size is halved each time memory runs out.

    Raises:
        ValueError: if a metric gives anything but one number per image.
    """
    tied = tied_share(maps)

    def scored(name: str, metric: Metric) -> Measured:
        return halving(
            lambda size: score(name, metric, explained_batches(cell, job, maps, settings.device, size), tied),
            settings.batch_size,
        )

    return {name: scored(name, metric) for name, metric in metrics.items()}


def explained_batches(cell: Cell, job: Job, maps: Tensor, device: torch.device, batch_size: int) -> Iterator[Explained]:
    """Yield batches of a job's images with their maps: everything that a metric may read.

    Args:
        cell: the cell that the maps belong to.
        job: its images, targets and masks.
        maps: (N, H, W), upsampled to the images.
        device: the model's device.
        batch_size: images per batch; the last batch may be shorter.
    """
    method = CellMethod(cell.method, cell.layer, (maps.shape[-2], maps.shape[-1]))
    masks = job.image_set.masks
    for start in range(0, len(maps), batch_size):
        part = slice(start, start + batch_size)
        yield Explained(
            model=job.classifier.module,
            images=job.image_set.images[part].to(device),
            targets=job.targets[part].to(device),
            maps=maps[part].to(device),
            masks=None if masks is None else masks[part].to(device),
            explain=method,
            batch_size=batch_size,
        )


def score(name: str, metric: Metric, batches: Iterable[Explained], tied: Tensor) -> Measured:
    """Return a metric's scores of all images: its values, and curves and bounds if it has them.

    Args:
        name: the metric's name in the tables.
        metric: the metric itself.
        batches: the explained images.
        tied: (N,), the share of each map's pixels that are tied; see :func:`.degenerate.tied_share`.

    Raises:
        ValueError: if the metric gives anything but one number per image.
    """
    parts = [_score_batch(name, metric, batch) for batch in batches]
    values = torch.cat([part.values for part in parts]).double().numpy()
    curves = [part.curves for part in parts if part.curves is not None]
    bounds = [part.bounds for part in parts if part.bounds is not None]
    low, high = torch.cat(bounds).double().numpy().T if bounds else (None, None)
    if len(values) != len(tied):
        raise ValueError(f"metric {name} scored {len(values)} images of {len(tied)}")
    return Measured(
        definition(name, metric),
        metric.higher_is_better,
        values,
        curves[0].fractions.cpu().numpy() if curves else None,
        torch.cat([c.scores.float().cpu() for c in curves]).numpy() if curves else None,
        tied.numpy(),
        low,
        high,
    )


@dataclass(frozen=True)
class _Scored:
    """A metric's scores of one batch: values (n,), and curves and bounds (n, 2) if it has them."""

    values: Tensor
    curves: Curves | None
    bounds: Tensor | None


def _score_batch(name: str, metric: Metric, batch: Explained) -> _Scored:
    if isinstance(metric, CurveMetric):
        curves = metric.curves(batch)
        values = metric.summary(curves)
    else:
        curves, values = None, metric(batch)
    if values.shape != (len(batch.images),):
        raise ValueError(f"metric {name} gave {tuple(values.shape)} for {len(batch.images)} images, expected (N,)")
    bounds = metric.tie_bounds(batch, values)
    return _Scored(values.cpu(), curves, None if bounds is None else bounds.cpu())

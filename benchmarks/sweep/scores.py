"""Scores of a cell: every metric's values, curves and bounds, a batch of explained images at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.benchmarks.store import Measured
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.degenerate import tied_share
from heatmark.benchmarks.sweep.job import Job
from heatmark.benchmarks.sweep.maps import Again
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.common.batching import halving
from heatmark.common.identity import definition
from heatmark.metrics.base import CurveMetric, Curves, Explained, Metric


def scores(
    cell: Cell, job: Job, maps: Tensor, metrics: Mapping[str, Metric], settings: RunSettings
) -> dict[str, Measured]:
    """Return what every metric says of a cell's maps, by the metric's name.

    Args:
        cell: whose maps these are.
        job: its images, targets and masks.
        maps: (N, H, W) on the CPU, upsampled to the images.
        metrics: by name.
        settings: device and batch size; the batch is halved as often as memory runs out.

    Raises:
        ValueError: where a metric gives anything but one number per image.
    """
    tied = tied_share(maps)

    def scored(name: str, metric: Metric) -> Measured:
        return halving(
            lambda size: score(name, metric, explained_batches(cell, job, maps, settings.device, size), tied),
            settings.batch_size,
        )

    return {name: scored(name, metric) for name, metric in metrics.items()}


def explained_batches(cell: Cell, job: Job, maps: Tensor, device: torch.device, batch_size: int) -> Iterator[Explained]:
    """Yield a job's images with their maps, a batch at a time: all that a metric may read.

    Args:
        cell: whose maps these are.
        job: its images, targets and masks.
        maps: (N, H, W), upsampled to the images.
        device: of the model.
        batch_size: images per batch; the last batch may be shorter.
    """
    again = Again(cell.method, cell.layer, (maps.shape[-2], maps.shape[-1]))
    masks = job.image_set.masks
    for start in range(0, len(maps), batch_size):
        part = slice(start, start + batch_size)
        yield Explained(
            model=job.classifier.module,
            images=job.image_set.images[part].to(device),
            targets=job.targets[part].to(device),
            maps=maps[part].to(device),
            masks=None if masks is None else masks[part].to(device),
            explain=again,
            batch_size=batch_size,
        )


def score(name: str, metric: Metric, batches: Iterable[Explained], tied: Tensor) -> Measured:
    """Return what a metric says of all images.

    Args:
        name: what tables call the metric.
        metric: the metric itself.
        batches: the explained images.
        tied: (N,), the share of pixels that each map does not rank.

    Raises:
        ValueError: where the metric gives anything but one number per image.
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
    """What a metric says of one batch: values (n,), curves and bounds (n, 2) where it has any."""

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

"""Run a job's cells one by one: maps, metrics, timing, then into the store; a failure is a row, not the end."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor

from heatmark.benchmarks.machine.timing import Timing, time_against_forward
from heatmark.benchmarks.store import Measured, Record, Store
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.degenerate import degeneracies, tied_share
from heatmark.benchmarks.sweep.job import Job
from heatmark.common.batching import halving, with_batch_size
from heatmark.common.identity import definition, options
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.metrics.base import CurveMetric, Curves, Explained, Metric

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """Where and how a job runs; none of it changes a number but the kind of device and the precision.

    Args:
        device: of the model.
        precision: ``fp32`` or ``bf16``.
        batch_size: images through the model at once.
        repeats: timed calls of a cell.
        max_seconds: after which a slow method is not timed again.
    """

    device: torch.device
    precision: str
    batch_size: int
    repeats: int
    max_seconds: float


def run(
    cells: Iterable[Cell], job: Job, metrics: Mapping[str, Metric], machine: Machine, store: Store
) -> Iterable[tuple[Cell, str]]:
    """Run every cell that is not finished yet, and yield each with its status (``done`` where it was there before)."""
    for cell in cells:
        if store.finished(cell.key):
            yield cell, "done"
            continue
        record = run_cell(cell, job, metrics, machine)
        store.write(record)
        yield cell, record.status


def run_cell(cell: Cell, job: Job, metrics: Mapping[str, Metric], machine: Machine) -> Record:
    """Return a cell's numbers, or the reason why there are none."""
    blank = partial(Record, cell.key, _columns(cell, job, machine), identity=cell.identity)
    try:
        reason = cell.method.unsupported(job.classifier.module, cell.layer)
        return blank("skipped", reason) if reason else _measure(cell, job, metrics, machine, blank)
    except Exception as error:  # whatever a method or metric raises is this cell's result
        log.debug("cell %s failed", cell.key, exc_info=True)
        return blank("error", f"{type(error).__name__}: {error}")


def _columns(cell: Cell, job: Job, machine: Machine) -> dict[str, str]:
    return {
        "model": job.classifier.name,
        "weights": job.classifier.weights,
        "layer": cell.layer,
        "method": cell.method_name,
        "implementation": cell.method.implementation,
        "dataset": job.dataset,
        "target_rule": str(job.settings["target"]),
        "device": machine.device.type,
        "precision": machine.precision,
        "weights_digest": str(cell.identity.get("weights", ""))[:12],
        "images_digest": job.batch.pictures[:12],
        "options": json.dumps(options(cell.method), sort_keys=True, separators=(",", ":")),
        "depth": _depth(job.classifier.module, cell.layer),
    }


def _depth(module: torch.nn.Module, layer: str) -> str:
    """Return the share of a model's modules that are done with when a layer is; ``""`` for what is no layer."""
    names = [name for name, _ in module.named_modules()]
    if layer not in names:
        return ""
    last = max(i for i, name in enumerate(names) if f"{name}.".startswith(f"{layer}."))
    around = sum(name == "" or layer.startswith(f"{name}.") for name in names)
    return str((last + 1 - around) / len(names))


def _measure(
    cell: Cell, job: Job, metrics: Mapping[str, Metric], machine: Machine, blank: Callable[..., Record]
) -> Record:
    raw = halving(partial(_raw_maps, cell, job, machine), machine.batch_size)
    maps = upsample(raw, (job.batch.images.shape[-2], job.batch.images.shape[-1]))
    batches, tied = partial(_explained_batches, cell, job, machine, maps), tied_share(maps)
    measured = {
        name: halving(partial(_score, name, metric, tied, batches), machine.batch_size)
        for name, metric in metrics.items()
    }
    timing = halving(partial(_time, cell, job, machine), machine.batch_size)
    return blank(
        images=job.batch.names,
        groups=job.batch.groups,
        targets=job.targets.tolist(),
        flags=degeneracies(raw),
        metrics=measured,
        timing=[asdict(timing)],
        maps=raw.numpy(),
    )


def _raw_maps(cell: Cell, job: Job, machine: Machine, batch_size: int) -> Tensor:
    method = with_batch_size(cell.method, batch_size)
    chunks = zip(torch.split(job.batch.images, batch_size), torch.split(job.targets, batch_size), strict=True)
    return torch.cat([_explain_chunk(method, cell.layer, job, machine, images, targets) for images, targets in chunks])


def _explain_chunk(method: Method, layer: str, job: Job, machine: Machine, images: Tensor, targets: Tensor) -> Tensor:
    maps = method(job.classifier.module, images.to(machine.device), targets.to(machine.device), layer)
    if maps.ndim != 3 or len(maps) != len(images):
        raise ValueError(f"the method gave {tuple(maps.shape)} for {len(images)} images, expected (N, h, w)")
    return maps.detach().float().cpu()


def _explain(
    method: Method, layer: str, size: tuple[int, int], model: torch.nn.Module, images: Tensor, targets: Tensor
) -> Tensor:
    return upsample(method(model, images, targets, layer).detach().float(), size)


@dataclass(frozen=True)
class _Scored:
    """What a metric says of a batch: values (n,), curves and bounds (n, 2) where it has any."""

    values: Tensor
    curves: Curves | None
    bounds: Tensor | None


def _score(
    name: str, metric: Metric, tied: Tensor, batches: Callable[[int], Iterable[Explained]], batch_size: int
) -> Measured:
    parts = [_score_batch(name, metric, explained) for explained in batches(batch_size)]
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


def _score_batch(name: str, metric: Metric, explained: Explained) -> _Scored:
    if isinstance(metric, CurveMetric):
        curves = metric.curves(explained)
        values = metric.summary(curves)
    else:
        curves, values = None, metric(explained)
    if values.shape != (len(explained.images),):
        raise ValueError(f"metric {name} gave {tuple(values.shape)} for {len(explained.images)} images, expected (N,)")
    bounds = metric.tie_bounds(explained, values)
    return _Scored(values.cpu(), curves, None if bounds is None else bounds.cpu())


def _explained_batches(cell: Cell, job: Job, machine: Machine, maps: Tensor, batch_size: int) -> Iterator[Explained]:
    """Yield the job's images a batch at a time, with what metrics may read."""
    size = (maps.shape[-2], maps.shape[-1])
    masks = job.batch.masks
    for start in range(0, len(maps), batch_size):
        part = slice(start, start + batch_size)
        yield Explained(
            model=job.classifier.module,
            images=job.batch.images[part].to(machine.device),
            targets=job.targets[part].to(machine.device),
            maps=maps[part].to(machine.device),
            masks=None if masks is None else masks[part].to(machine.device),
            explain=partial(_explain, cell.method, cell.layer, size),
            batch_size=batch_size,
        )


def _time(cell: Cell, job: Job, machine: Machine, batch_size: int) -> Timing:
    model = job.classifier.module
    images = job.batch.images[:batch_size].to(machine.device)
    targets = job.targets[:batch_size].to(machine.device)
    method = with_batch_size(cell.method, batch_size)
    return time_against_forward(
        partial(method, model, images, targets, cell.layer),
        torch.inference_mode()(partial(model, images)),
        machine.device,
        batch_size=len(images),
        precision=machine.precision,
        repeats=machine.repeats,
        max_seconds=machine.max_seconds,
    )

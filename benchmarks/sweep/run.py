"""Run a shard's trials one by one: maps, metrics, timing, then into the store; a failure is a row, not the end."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor

from heatmark.benchmarks.machine.timing import Timing, time_against_forward
from heatmark.benchmarks.store import Measured, Record, Store
from heatmark.benchmarks.sweep.cells import Trial, options
from heatmark.benchmarks.sweep.degenerate import degeneracies, tied_share
from heatmark.benchmarks.sweep.shard import Shard
from heatmark.common.batching import halving, with_batch_size
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.metrics.base import Case, CurveMetric, Curves, Metric, definition

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """Where and how a shard runs; none of it changes a number but the kind of device and the precision.

    Args:
        device: of the model.
        precision: ``fp32`` or ``bf16``.
        batch_size: images through the model at once.
        repeats: timed calls of a trial.
        max_seconds: after which a slow method is not timed again.
    """

    device: torch.device
    precision: str
    batch_size: int
    repeats: int
    max_seconds: float


def run(
    trials: Iterable[Trial], shard: Shard, metrics: Mapping[str, Metric], machine: Machine, store: Store
) -> Iterable[tuple[Trial, str]]:
    """Run every trial that is not finished yet, and yield each with its status (``done`` where it was there before)."""
    for trial in trials:
        if store.finished(trial.key):
            yield trial, "done"
            continue
        record = run_trial(trial, shard, metrics, machine)
        store.write(record)
        yield trial, record.status


def run_trial(trial: Trial, shard: Shard, metrics: Mapping[str, Metric], machine: Machine) -> Record:
    """Return a trial's numbers, or the reason why there are none."""
    blank = partial(Record, trial.key, _columns(trial, shard, machine), identity=trial.identity)
    try:
        reason = trial.method.unsupported(shard.classifier.module, trial.layer)
        return blank("skipped", reason) if reason else _measure(trial, shard, metrics, machine, blank)
    except Exception as error:  # whatever a method or metric raises is this trial's result
        log.debug("trial %s failed", trial.key, exc_info=True)
        return blank("error", f"{type(error).__name__}: {error}")


def _columns(trial: Trial, shard: Shard, machine: Machine) -> dict[str, str]:
    return {
        "model": shard.classifier.name,
        "weights": shard.classifier.weights,
        "layer": trial.layer,
        "method": trial.method_name,
        "implementation": trial.method.implementation,
        "dataset": shard.dataset,
        "target_rule": str(shard.settings["target"]),
        "device": machine.device.type,
        "precision": machine.precision,
        "weights_digest": str(trial.identity.get("weights", ""))[:12],
        "images_digest": shard.batch.pictures[:12],
        "options": json.dumps(options(trial.method), sort_keys=True, separators=(",", ":")),
        "depth": _depth(shard.classifier.module, trial.layer),
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
    trial: Trial, shard: Shard, metrics: Mapping[str, Metric], machine: Machine, blank: Callable[..., Record]
) -> Record:
    raw = halving(partial(_raw_maps, trial, shard, machine), machine.batch_size)
    maps = upsample(raw, (shard.batch.images.shape[-2], shard.batch.images.shape[-1]))
    cases, tied = partial(_cases, trial, shard, machine, maps), tied_share(maps)
    measured = {
        name: halving(partial(_score, name, metric, tied, cases), machine.batch_size)
        for name, metric in metrics.items()
    }
    timing = halving(partial(_time, trial, shard, machine), machine.batch_size)
    return blank(
        images=shard.batch.names,
        groups=shard.batch.groups,
        targets=shard.targets.tolist(),
        flags=degeneracies(raw),
        metrics=measured,
        timing=[asdict(timing)],
        maps=raw.numpy(),
    )


def _raw_maps(trial: Trial, shard: Shard, machine: Machine, batch_size: int) -> Tensor:
    method = with_batch_size(trial.method, batch_size)
    chunks = zip(torch.split(shard.batch.images, batch_size), torch.split(shard.targets, batch_size), strict=True)
    return torch.cat(
        [_explain_chunk(method, trial.layer, shard, machine, images, targets) for images, targets in chunks]
    )


def _explain_chunk(
    method: Method, layer: str, shard: Shard, machine: Machine, images: Tensor, targets: Tensor
) -> Tensor:
    maps = method(shard.classifier.module, images.to(machine.device), targets.to(machine.device), layer)
    if maps.ndim != 3 or len(maps) != len(images):
        raise ValueError(f"the method gave {tuple(maps.shape)} for {len(images)} images, expected (N, h, w)")
    return maps.detach().float().cpu()


def _explain(
    method: Method, layer: str, size: tuple[int, int], model: torch.nn.Module, images: Tensor, targets: Tensor
) -> Tensor:
    return upsample(method(model, images, targets, layer).detach(), size)


@dataclass(frozen=True)
class _Scored:
    """What a metric says of a batch: values (n,), curves and bounds (n, 2) where it has any."""

    values: Tensor
    curves: Curves | None
    bounds: Tensor | None


def _score(
    name: str, metric: Metric, tied: Tensor, cases: Callable[[int], Iterable[Case]], batch_size: int
) -> Measured:
    parts = [_score_batch(name, metric, case) for case in cases(batch_size)]
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


def _score_batch(name: str, metric: Metric, case: Case) -> _Scored:
    if isinstance(metric, CurveMetric):
        curves = metric.curves(case)
        values = metric.summary(curves)
    else:
        curves, values = None, metric(case)
    if values.shape != (len(case.images),):
        raise ValueError(f"metric {name} gave {tuple(values.shape)} for {len(case.images)} images, expected (N,)")
    bounds = metric.tie_bounds(case, values)
    return _Scored(values.cpu(), curves, None if bounds is None else bounds.cpu())


def _cases(trial: Trial, shard: Shard, machine: Machine, maps: Tensor, batch_size: int) -> Iterator[Case]:
    """Yield the shard's images a batch at a time, with what metrics may read."""
    size = (maps.shape[-2], maps.shape[-1])
    masks = shard.batch.masks
    for start in range(0, len(maps), batch_size):
        part = slice(start, start + batch_size)
        yield Case(
            model=shard.classifier.module,
            images=shard.batch.images[part].to(machine.device),
            targets=shard.targets[part].to(machine.device),
            maps=maps[part].to(machine.device),
            masks=None if masks is None else masks[part].to(machine.device),
            explain=partial(_explain, trial.method, trial.layer, size),
            batch_size=batch_size,
        )


def _time(trial: Trial, shard: Shard, machine: Machine, batch_size: int) -> Timing:
    model = shard.classifier.module
    images = shard.batch.images[:batch_size].to(machine.device)
    targets = shard.targets[:batch_size].to(machine.device)
    method = with_batch_size(trial.method, batch_size)
    return time_against_forward(
        partial(method, model, images, targets, trial.layer),
        torch.inference_mode()(partial(model, images)),
        machine.device,
        batch_size=len(images),
        precision=machine.precision,
        repeats=machine.repeats,
        max_seconds=machine.max_seconds,
    )

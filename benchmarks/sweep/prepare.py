"""From a configuration to what a job will run; every mistake in it is found here, before the first cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf

from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.machine.batch_size import best_batch_size
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import resolve_layer
from heatmark.benchmarks.sweep.cells import Cell, cells
from heatmark.benchmarks.sweep.job import Batch, Job, load_batch, predict
from heatmark.benchmarks.sweep.run import Machine
from heatmark.benchmarks.sweep.targets import choose_targets
from heatmark.common.batching import halving
from heatmark.common.identity import request
from heatmark.metrics.base import Metric


@dataclass(frozen=True)
class Plan:
    """A job, and what to run on it."""

    job: Job
    cells: Sequence[Cell]
    metrics: Mapping[str, Metric]
    machine: Machine
    accuracy: float
    """Top-1 over the images whose label is a class of the model, NaN where there is none."""


def plan_job(config: DictConfig, batch_size: int | None) -> Plan:
    """Load the model and the data, choose layers and targets, and list the cells.

    Args:
        config: of ``heatmark sweep``.
        batch_size: what an earlier run of this job was tuned to, so that resumed numbers are the same to the bit.

    Raises:
        ValueError: for anything in the configuration, the model or the data that cannot be run.
    """
    methods, metrics = (build_all(_chosen(config, group), group) for group in ("method", "metric"))
    classifier: Classifier = build(config.model, "model")
    dataset: Dataset = build(config.dataset, "dataset")
    batch = load_batch(dataset, classifier)
    machine = _machine(config, classifier, batch, batch_size)
    with autocast(classifier.module, machine.precision):
        logits = halving(lambda size: predict(classifier, batch.images, size, machine.device), machine.batch_size)
    layers = [resolve_layer(classifier, layer, batch.images[:1].to(machine.device)) for layer in _listed(config.layer)]
    job = Job(
        classifier,
        dataset.name,
        batch,
        choose_targets(config.target, logits, batch.labels, classifier),
        {
            "target": str(config.target),
            "model_options": _model_options(config),
            "seed": config.seed,
            "precision": machine.precision,
            "device": machine.device.type,
            "metrics": sorted(request(name, metric) for name, metric in metrics.items()),
        },
    )
    return Plan(job, list(cells(methods, layers, job.identity())), metrics, machine, _accuracy(logits, batch))


def _model_options(config: DictConfig) -> dict[str, Any]:
    """Return what the configuration says of the network itself; of all else there is a digest."""
    plain: Any = OmegaConf.to_container(config.model, resolve=True)
    digested = ("name", "weights", "checkpoint", "seed", "preprocessing", "layers", "classes")
    return {key: value for key, value in plain.items() if key not in digested}


def _machine(config: DictConfig, classifier: Classifier, batch: Batch, batch_size: int | None) -> Machine:
    device = pick_device(config.device)
    classifier.module.to(device).eval()
    if config.batch_size != "auto":
        if not isinstance(config.batch_size, int) or config.batch_size < 1:
            raise ValueError(f"batch_size is {config.batch_size!r}, expected a positive number or auto")
        batch_size = config.batch_size
    with autocast(classifier.module, config.precision):
        size = batch_size or best_batch_size(classifier.module, batch.images[0].to(device))
    return Machine(device, config.precision, size, *_timing(config.timing))


def _timing(config: DictConfig) -> tuple[int, float]:
    if not isinstance(config.repeats, int) or config.repeats < 1:
        raise ValueError(f"timing.repeats is {config.repeats!r}, expected a whole number of at least 1")
    if not isinstance(config.max_seconds, int | float) or not config.max_seconds > 0:
        raise ValueError(f"timing.max_seconds is {config.max_seconds!r}, expected a positive number")
    return config.repeats, float(config.max_seconds)


def _chosen(config: DictConfig, group: str) -> DictConfig:
    """Return the methods or metrics of a configuration.

    Raises:
        ValueError: where there is none.
    """
    if not config.get(group):
        example = {"method": "grad_cam", "metric": "deletion"}[group]
        raise ValueError(f"{group} is empty, expected at least one, such as {group}=[{example}]")
    chosen: DictConfig = config[group]
    return chosen


def _listed(layer: object) -> list[str]:
    return [str(name) for name in layer] if isinstance(layer, ListConfig | list) else [str(layer)]


def _accuracy(logits: torch.Tensor, batch: Batch) -> float:
    known = batch.labels >= 0
    return float((logits.argmax(1) == batch.labels)[known].double().mean()) if known.any() else float("nan")

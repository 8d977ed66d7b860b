"""The preparation of a job, which finds every mistake in what was asked for before the first cell runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.machine.batch_size import best_batch_size
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import resolve_layer
from heatmark.benchmarks.models.predictions import predict
from heatmark.benchmarks.sweep.cells import Cell, cells
from heatmark.benchmarks.sweep.images import ImageSet, load_images
from heatmark.benchmarks.sweep.job import Job
from heatmark.benchmarks.sweep.settings import RunSettings, SweepSettings
from heatmark.benchmarks.sweep.targets import choose_targets
from heatmark.common.batching import halving
from heatmark.common.identity import request
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric


@dataclass(frozen=True)
class Plan:
    """A job that is ready to run: its cells, metrics and run settings, and the model's accuracy."""

    job: Job
    cells: Sequence[Cell]
    metrics: Mapping[str, Metric]
    settings: RunSettings
    accuracy: float
    """Top-1 accuracy over the images whose label is a class of the model, in [0, 1]; NaN if there is none."""
    weights_digest: str = ""
    """The first 12 digits of the network's digest, as in the tables; computed once, because it reads all weights."""


def prepare(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
    tuned: int | None = None,
) -> Plan:
    """Load the images, predict once, choose layers and targets, and list the cells.

    Args:
        classifier: the model; it is moved to the device.
        dataset: its pictures.
        methods, metrics: by their names in the tables.
        settings: all other options.
        tuned: the batch size to which an earlier run of this job was tuned, so that resumed numbers are the same to the
            bit; it is used if the settings name none.

    Raises:
        ValueError: for anything in the model, the data or the settings that cannot be run.
    """
    _require_some(methods, metrics)
    image_set = load_images(dataset, classifier)
    run = _run_settings(settings, classifier, image_set, tuned)
    with autocast(classifier.module, run.precision):
        logits = halving(lambda size: predict(classifier, image_set.images, size, run.device), run.batch_size)
    first = image_set.images[:1].to(run.device)
    layers = [resolve_layer(classifier, layer, first) for layer in settings.layers]
    targets = choose_targets(settings.target, logits, image_set.labels, classifier)
    job = Job(classifier, dataset.name, image_set, targets, _in_the_key(settings, run, metrics))
    identity = job.identity()
    accuracy = _accuracy(logits, image_set)
    return Plan(job, list(cells(methods, layers, identity)), metrics, run, accuracy, identity["weights"][:12])


def _require_some(methods: Mapping[str, Method], metrics: Mapping[str, Metric]) -> None:
    for group, given, example in (("method", methods, "grad_cam"), ("metric", metrics, "deletion")):
        if not given:
            raise ValueError(f"{group} is empty, expected at least one, such as {group}=[{example}]")


def _run_settings(
    settings: SweepSettings, classifier: Classifier, image_set: ImageSet, tuned: int | None
) -> RunSettings:
    device = pick_device(settings.device)
    classifier.module.to(device).eval()
    with autocast(classifier.module, settings.precision):
        size = settings.batch_size or tuned or best_batch_size(classifier.module, image_set.images[0].to(device))
    return RunSettings(device, settings.precision, size, settings.repeats, settings.max_seconds)


def _in_the_key(settings: SweepSettings, run: RunSettings, metrics: Mapping[str, Metric]) -> dict[str, object]:
    """Return the settings that change numbers, as plain JSON values."""
    return {
        "target": str(settings.target),
        "seed": settings.seed,
        "precision": run.precision,
        "device": run.device.type,
        "metrics": sorted(request(name, metric) for name, metric in metrics.items()),
    }


def _accuracy(logits: torch.Tensor, image_set: ImageSet) -> float:
    known = image_set.labels >= 0
    return float((logits.argmax(1) == image_set.labels)[known].double().mean()) if known.any() else float("nan")

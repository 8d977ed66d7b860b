"""The preparation of a job, which finds every mistake in what was asked for before the first block runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.machine.batch_size import best_batch_size
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.machine.provenance import located, provenance, source_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import resolve_layers
from heatmark.benchmarks.models.predictions import predict
from heatmark.benchmarks.requests import Request
from heatmark.benchmarks.sweep.blocks import reference
from heatmark.benchmarks.sweep.cells import Cell, cells
from heatmark.benchmarks.sweep.keys import model_key
from heatmark.benchmarks.sweep.pictures import pictures_key
from heatmark.benchmarks.sweep.replicates import Round, rounds
from heatmark.benchmarks.sweep.requested import requested
from heatmark.benchmarks.sweep.settings import GIVEN, RunSettings, SweepSettings
from heatmark.benchmarks.sweep.targets import choose_targets
from heatmark.common.identity import require_distinct
from heatmark.methods.base import Method
from heatmark.metrics.base import Derived, Metric

Tune = Callable[[str, str, Callable[[], int]], int]
"""(network's digest, kind of device, how to find it) -> the run's batch size."""


@dataclass(frozen=True)
class Plan:
    """A job that is ready to run.

    Args:
        classifier: the model, on its device.
        dataset: its pictures.
        rounds: the cells that can be explained, all replicates among them, with the metrics that judge them.
        metrics: by name, derived ones among them.
        asked: the settings as given.
        run: the settings under which cells run.
        key: the key of the model's predictions.
        request: what the job asks for, without its pictures.
        reference: the first readable picture as the model takes it, (1, C, H, W).
    """

    classifier: Classifier
    dataset: Dataset
    rounds: Sequence[Round]
    metrics: Mapping[str, Metric]
    asked: SweepSettings
    run: RunSettings
    key: str
    request: Request
    reference: Tensor

    @property
    def every_cell(self) -> list[Cell]:
        """The cells with all their replicates."""
        return [cell for each in self.rounds for cell in each.cells]

    @property
    def cells(self) -> list[Cell]:
        """Replicate 0 of each cell."""
        return [cell for cell in self.every_cell if not cell.replicate]

    @property
    def computed(self) -> dict[str, Metric]:
        """The metrics that are not derived from others, with all their draws (:attr:`.replicates.Judge.label`)."""
        return {label: metric for each in self.rounds for label, metric in each.metrics.items()}


def prepare(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
    tuned: Tune,
) -> Plan:
    """Look at the first picture, find layers and targets, and list the cells.

    Args:
        classifier: the model; it is moved to the device.
        dataset: its pictures.
        methods, metrics: by their names in the tables.
        settings: all other options.
        tuned: gives the run's batch size, where the settings give none.

    Raises:
        ValueError: for anything in the model, the data or the settings that cannot be run.
    """
    _require_some(methods, metrics)
    if not settings.layers and any(method.explains == "layer" for method in methods.values()):
        raise ValueError("layer is empty, expected at least one, such as layer=[last]")
    first = reference(dataset, classifier)[None]
    network = classifier.network_digest()
    run = _run_settings(settings, classifier, network, first, tuned)
    with autocast(classifier.module, run.precision):
        logits = predict(classifier, first, 1, run.device)
        layers = resolve_layers(classifier, settings.layers, first.to(run.device))
    _require_targets(settings.target, logits, classifier, len(dataset))
    key = model_key(classifier, network, run.precision, run.device.type)
    found = list(cells(methods, layers, key, settings.replicates))
    skipped = {cell.key: _unsupported(cell, classifier.module) for cell in found}
    computed = {name: metric for name, metric in metrics.items() if not isinstance(metric, Derived)}
    distinct = list({cell.key: cell for cell in found}.values())  # one of two names for one method
    asked = rounds(distinct, computed, settings.replicates)
    request = replace(
        requested(classifier.module, found, skipped, metrics, asked, run.seed),
        predictions=key,
        facts=_facts(classifier, dataset, network, settings, run),
    )
    able = [replace(each, cells=[cell for cell in each.cells if not skipped[cell.key]]) for each in asked]
    return Plan(classifier, dataset, able, metrics, settings, run, key, request, first)


def _require_targets(target: int | str | Sequence[int], logits: Tensor, classifier: Classifier, pictures: int) -> None:
    """Raise for a class that the model has not, or another number of classes than of pictures."""
    if not isinstance(target, int | str):
        if len(target) != pictures:
            raise ValueError(f"target has {len(target)} classes for {pictures} pictures, expected one per picture")
        for index in set(target):
            choose_targets(index, logits, torch.tensor([-1]), classifier)
    elif target != "label":  # labels are looked at picture by picture
        choose_targets(target, logits, torch.tensor([-1]), classifier)


def _require_some(methods: Mapping[str, Method], metrics: Mapping[str, Metric]) -> None:
    for group, given, example in (("method", methods, "grad_cam"), ("metric", metrics, "deletion")):
        if not given:
            raise ValueError(f"{group} is empty, expected at least one, such as {group}=[{example}]")
        require_distinct(given)
    for name, metric in metrics.items():
        if isinstance(metric, Derived) and (absent := [term for term in metric.terms if term not in metrics]):
            example = f'{{"{absent[0]}": "{absent[0]}(steps=14)", …}}'
            raise ValueError(
                f"metric {name} is derived from {', '.join(absent)}, which the sweep has not; add it under this name "
                f"(with options: metric.{absent[0]}.steps=14, or from Python {example})"
            )


def _run_settings(
    settings: SweepSettings, classifier: Classifier, network: str, first: Tensor, tuned: Tune
) -> RunSettings:
    device = pick_device(settings.device)
    classifier.module.to(device).eval()

    def tune() -> int:
        with autocast(classifier.module, settings.precision):
            return best_batch_size(classifier.module, first[0].to(device))

    size = settings.batch_size or tuned(network, device.type, tune)
    return RunSettings(
        device,
        settings.precision,
        size,
        settings.seed,
        settings.keep_maps,
        settings.retry == "errors",
        settings.shard.of,
    )


def _unsupported(cell: Cell, module: nn.Module) -> str:
    """Return why a cell is skipped; what goes wrong in asking is found again when the cell runs."""
    try:
        return cell.method.unsupported(module, cell.layer) or ""
    except Exception:  # noqa: BLE001 - a user's method may raise anything, and is then an error of its cell
        return ""


def _facts(
    classifier: Classifier, dataset: Dataset, network: str, settings: SweepSettings, run: RunSettings
) -> dict[str, Any]:
    return {
        "model": classifier.name,
        "weights": classifier.weights,
        "weights_digest": network[:12],
        "checkpoint": classifier.checkpoint,
        "classes": list(classifier.classes),
        "dataset": dataset.name,
        "target_rule": str(settings.target) if isinstance(settings.target, int | str) else GIVEN,
        "precision": run.precision,
        "device_kind": run.device.type,
        "batch_size": run.batch_size,
        "seed": run.seed,
        "replicates": settings.replicates,
        "shard_size": len(settings.shard.positions(len(dataset))),
        "pictures_key": pictures_key(classifier),
        "given": _given(classifier, dataset),
        **provenance(run.device),
    }


def _given(classifier: Classifier, dataset: Dataset) -> dict[str, dict[str, str]]:
    """Return the folder of pictures, the file of weights and the source of the network, where each lies."""
    named = classifier.options.get("module")
    target = named.get("_target_") if isinstance(named, Mapping) else None
    kind = type(classifier.module)
    found = {
        "dataset.root": located(str(getattr(dataset, "root", ""))),
        "model.checkpoint": located(classifier.checkpoint),
        "model.module": source_of(str(target or f"{kind.__module__}.{kind.__qualname__}")),
    }
    return {name: place for name, place in found.items() if place}

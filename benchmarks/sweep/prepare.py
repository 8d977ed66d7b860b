"""The preparation of a job, which finds every mistake in what was asked for before the first block runs."""

import json
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
from heatmark.benchmarks.requests import Request, RequestedCell, RequestedMetric, RequestedScore
from heatmark.benchmarks.sweep.blocks import reference
from heatmark.benchmarks.sweep.cells import Cell, cells
from heatmark.benchmarks.sweep.keys import curve_key, model_key, score_key
from heatmark.benchmarks.sweep.pictures import pictures_key
from heatmark.benchmarks.sweep.settings import GIVEN, RunSettings, SweepSettings
from heatmark.benchmarks.sweep.targets import choose_targets
from heatmark.common.identity import definition, options, require_distinct
from heatmark.methods.base import Method
from heatmark.metrics.base import Derived, Metric, sums_up_curves

Tune = Callable[[str, str, Callable[[], int]], int]
"""(network's digest, kind of device, how to find it) -> the run's batch size."""


@dataclass(frozen=True)
class Plan:
    """A job that is ready to run.

    Args:
        classifier: the model, on its device.
        dataset: its pictures.
        cells: those that can be explained.
        metrics: by name, derived ones among them.
        asked: the settings as given.
        run: the settings under which cells run.
        key: the key of the model's predictions.
        request: what the job asks for, without its pictures.
        reference: the first readable picture as the model takes it, (1, C, H, W).
    """

    classifier: Classifier
    dataset: Dataset
    cells: Sequence[Cell]
    metrics: Mapping[str, Metric]
    asked: SweepSettings
    run: RunSettings
    key: str
    request: Request
    reference: Tensor

    @property
    def computed(self) -> dict[str, Metric]:
        """The metrics that are not derived from others."""
        return {name: metric for name, metric in self.metrics.items() if not isinstance(metric, Derived)}


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
    found = list(cells(methods, layers, key))
    skipped = {cell.key: _unsupported(cell, classifier.module) for cell in found}
    request = replace(
        _request(classifier, found, skipped, metrics, run.seed),
        predictions=key,
        facts=_facts(classifier, dataset, network, settings, run),
    )
    able = {cell.key: cell for cell in found if not skipped[cell.key]}  # one of two names for one method
    return Plan(classifier, dataset, list(able.values()), metrics, settings, run, key, request, first)


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


def _request(
    classifier: Classifier, found: Sequence[Cell], skipped: Mapping[str, str], metrics: Mapping[str, Metric], seed: int
) -> Request:
    keys = dict.fromkeys(cell.key for cell in found)  # one key for one method under two names
    return Request(
        "", "", 0.0,
        cells=[_requested_cell(cell, classifier.module, skipped[cell.key]) for cell in found],
        metrics=[_requested_metric(name, metric) for name, metric in metrics.items()],
        scores=[_requested_score(key, name, metric, seed) for key in keys for name, metric in metrics.items()],
    )  # fmt: skip


def _requested_cell(cell: Cell, module: nn.Module, skipped: str) -> RequestedCell:
    implementation, depth = cell.method.implementation, _depth(module, cell.layer)
    return RequestedCell(cell.key, cell.layer, cell.method_name, implementation, _json(cell.method), depth, skipped)


def _json(thing: object) -> str:
    return json.dumps(options(thing), sort_keys=True, separators=(",", ":"))


def _requested_metric(name: str, metric: Metric) -> RequestedMetric:
    terms = dict(metric.terms) if isinstance(metric, Derived) else {}
    return RequestedMetric(
        name, definition(name, metric), metric.higher_is_better, sorted(metric.needs), terms, options=_json(metric)
    )


def _requested_score(maps: str, name: str, metric: Metric, seed: int) -> RequestedScore:
    if isinstance(metric, Derived):
        return RequestedScore(maps, name, "")
    key = score_key(maps, metric, seed)
    if not sums_up_curves(metric):
        return RequestedScore(maps, name, key)
    return RequestedScore(maps, name, key, curve_key(maps, metric.path), [curve_key(maps, p) for p in metric.bounds])


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


def _depth(module: nn.Module, layer: str) -> str:
    """Return a layer's depth, the share of the model's modules that have run once it has; ``""`` for what is no layer.

    Modules are taken in the order of their definition; a module has run when its last submodule has.
    """
    names = [name for name, _ in module.named_modules()]
    if layer not in names:
        return ""
    last = max(i for i, name in enumerate(names) if f"{name}.".startswith(f"{layer}."))
    around = sum(name == "" or layer.startswith(f"{name}.") for name in names)
    return str((last + 1 - around) / len(names))

"""A job's request, without its pictures: its cells, metrics and scores, all replicates among them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from heatmark.benchmarks.requests import Request, RequestedCell, RequestedMetric, RequestedScore
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.keys import curve_key, score_key
from heatmark.benchmarks.sweep.replicates import Judge, Round, replicate
from heatmark.common.identity import definition, options
from heatmark.metrics.base import Derived, Metric, sums_up_curves


def requested(
    module: nn.Module,
    found: Sequence[Cell],
    skipped: Mapping[str, str],
    metrics: Mapping[str, Metric],
    asked: Sequence[Round],
    seed: int,
) -> Request:
    """Return what a job asks for, of no subject and written at no time yet.

    Args:
        module: the model.
        found: all cells, replicates and skipped ones among them.
        skipped: why a cell is skipped, by its key; ``""`` where it is not.
        metrics: by name, derived ones among them.
        asked: the cells with the metrics that judge them, each key once.
        seed: the run's seed.
    """
    given = {(cell.layer, cell.method_name): _json(cell.method) for cell in found if not cell.replicate}
    return Request(
        "", "", 0.0,
        cells=[
            _requested_cell(cell, given[cell.layer, cell.method_name], module, skipped[cell.key])
            for cell in found
        ],
        metrics=[_requested_metric(name, metric) for name, metric in metrics.items()],
        scores=[
            score for each in asked for cell in each.cells
            for score in _requested_scores(cell, each.judges, metrics, seed)
        ],
    )  # fmt: skip


def _requested_cell(cell: Cell, given: str, module: nn.Module, skipped: str) -> RequestedCell:
    implementation, depth = cell.method.implementation, _depth(module, cell.layer)
    return RequestedCell(cell.key, cell.layer, cell.method_name, implementation, given, depth, skipped, cell.replicate)


def _json(thing: object) -> str:
    return json.dumps(options(thing), sort_keys=True, separators=(",", ":"))


def _requested_metric(name: str, metric: Metric) -> RequestedMetric:
    terms = dict(metric.terms) if isinstance(metric, Derived) else {}
    return RequestedMetric(
        name, definition(name, metric), metric.higher_is_better, sorted(metric.needs), terms, options=_json(metric)
    )


def _requested_scores(
    cell: Cell, judges: Sequence[Judge], metrics: Mapping[str, Metric], seed: int
) -> list[RequestedScore]:
    """Return a cell's scores in the order of the metrics; a derived metric has the replicates of what it sums up."""
    found = [_requested_score(cell, judge, seed) for judge in judges]
    for name, metric in metrics.items():
        if isinstance(metric, Derived):
            summed = sorted({score.replicate for score in found if score.metric in metric.terms})
            found += [RequestedScore(cell.key, name, "", replicate=number) for number in summed]
    names = list(metrics)
    return sorted(found, key=lambda score: names.index(score.metric))


def _requested_score(cell: Cell, judge: Judge, seed: int) -> RequestedScore:
    maps, metric = cell.key, judge.metric
    score = RequestedScore(maps, judge.name, score_key(maps, metric, seed), replicate=replicate(cell, judge))
    if not sums_up_curves(metric):
        return score
    return replace(score, curve=curve_key(maps, metric.path), bounds=[curve_key(maps, path) for path in metric.bounds])


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

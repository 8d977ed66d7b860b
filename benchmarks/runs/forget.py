"""Cells and metrics removed from a run's requests; what the store has of them stays until ``clean``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Request, RequestedCell, RequestedMetric
from heatmark.common.names import did_you_mean


@dataclass(frozen=True)
class Which:
    """Cells and metrics by name; an empty list means any.

    Args:
        method, model, layer, dataset: names of which one must be the cell's.
        metric: metrics to forget; if empty, whole cells are forgotten.
    """

    method: Sequence[str] = ()
    model: Sequence[str] = ()
    layer: Sequence[str] = ()
    dataset: Sequence[str] = ()
    metric: Sequence[str] = ()

    def has_cell(self, request: Request, cell: RequestedCell) -> bool:
        """Return whether a cell of a request is meant."""
        names = _names(request, cell)
        return all(not wanted or names[option] in wanted for option, wanted in asdict(self).items() if option in names)


def forget(root: Path, which: Which) -> list[str]:
    """Remove cells, or their scores under some metrics, from a run's requests; return a line per removed thing.

    A derived metric goes with the metrics that it is made of. A request without cells is deleted.

    Args:
        root: the run's folder.
        which: what to remove.

    Raises:
        ValueError: where nothing is named, or the run has no such name or cell; it names the nearest.
    """
    if not any(asdict(which).values()):
        raise ValueError("forget what? Give at least one of method=, model=, layer=, metric=, dataset=")
    if not (found := requests.read(root)):
        raise ValueError(f"{root} has no requests: expected a folder that heatmark sweep has written")
    _require_names(found, which)
    remove: Callable[[Request, Which], Request] = _without_metrics if which.metric else _without_cells
    after = [remove(request, which) for request in found]
    removed = [line for old, new in zip(found, after, strict=True) for line in _lost(old, new)]
    if not removed:
        given = " ".join(f"{option}={','.join(wanted)}" for option, wanted in asdict(which).items() if wanted)
        raise ValueError(f"the run has each of these names, but no cell with all of them: {given}")
    for old, new in zip(found, after, strict=True):
        if new == old:
            continue
        if new.cells:
            requests.save(root, new)  # beside the other shards of its job
        else:
            (root / "requests" / new.file).unlink()
    return list(dict.fromkeys(removed))


def _without_cells(request: Request, which: Which) -> Request:
    kept = [cell for cell in request.cells if not which.has_cell(request, cell)]
    keys = {cell.key for cell in kept}  # one method may stand there under another name, too
    return replace(request, cells=kept, scores=[s for s in request.scores if s.cell in keys])


def _without_metrics(request: Request, which: Which) -> Request:
    cells = {cell.key for cell in request.cells if which.has_cell(request, cell)}
    metrics = _with_derived(which.metric, request.metrics)
    scores = [s for s in request.scores if not (s.cell in cells and s.metric in metrics)]
    if len(scores) == len(request.scores):
        return request
    used = {s.metric for s in scores}
    return replace(
        request, scores=scores, metrics=[m for m in request.metrics if m.name in used or m.name not in metrics]
    )


def _with_derived(names: Sequence[str], metrics: Sequence[RequestedMetric]) -> set[str]:
    """Return metrics with all that are derived from them, directly or through others."""
    gone = set(names)
    while more := {metric.name for metric in metrics if gone & set(metric.terms)} - gone:
        gone |= more
    return gone


def _lost(old: Request, new: Request) -> Iterator[str]:
    """Yield a line per cell and per score that a request lost."""
    kept = {(cell.key, cell.method) for cell in new.cells}
    left = {(score.cell, score.metric) for score in new.scores}
    for cell in old.cells:
        names = _names(old, cell)
        line = f"{names['method']} at {names['layer']} of {names['model']} on {names['dataset']}"
        if (cell.key, cell.method) not in kept:
            yield line
        else:
            lost = (s.metric for s in old.scores if s.cell == cell.key and (s.cell, s.metric) not in left)
            yield from (f"{metric} of {line}" for metric in lost)


def _names(request: Request, cell: RequestedCell) -> Mapping[str, str]:
    return {
        "method": cell.method,
        "model": str(request.facts.get("model", "")),
        "layer": cell.layer,
        "dataset": str(request.facts.get("dataset", "")),
    }


def _require_names(found: Sequence[Request], which: Which) -> None:
    """Raise for a name that the run does not have, with the nearest."""
    cells = [_names(request, cell) for request in found for cell in request.cells]
    known = {option: sorted({names[option] for names in cells}) for option in ("method", "model", "layer", "dataset")}
    known["metric"] = sorted({metric.name for request in found for metric in request.metrics})
    for option, wanted in asdict(which).items():
        for name in wanted:
            if name not in known[option]:
                hint = did_you_mean(name, known[option], f"it has {', '.join(known[option]) or 'none'}.")
                raise ValueError(f"the run has no {option} {name!r}: {hint}")

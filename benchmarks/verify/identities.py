"""The given methods and metrics that are those of a request: told by the keys of its rows, never by their names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from heatmark.benchmarks.requests import Request, RequestedMetric
from heatmark.benchmarks.sweep.keys import map_key, score_key
from heatmark.methods.base import Method
from heatmark.metrics.base import Derived, Metric

NOT_GIVEN = "{what} {name} does not ship with Heatmark, or not with these options: give it, from Python"
ANOTHER = "{what} {name} is another one here than the run's: its options, version, library or code differ"


@dataclass(frozen=True)
class Found:
    """What is at hand of a request's methods and metrics.

    Args:
        methods, metrics: by their names in the request.
        missing: why another one is not, by ``method NAME`` or ``metric NAME``.
    """

    methods: dict[str, Method] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def obstacle(self, method: str, metric: str) -> str:
        """Return why a score cannot be recomputed; ``""`` where it can."""
        return self.missing.get(f"method {method}") or self.missing.get(f"metric {metric}") or ""


def found(request: Request, methods: Mapping[str, Method], metrics: Mapping[str, Metric], seed: int) -> Found:
    """Return which of these methods and metrics are those of a request: equal keys are equal numbers.

    Args:
        request: what a job asked for.
        methods, metrics: of the reader; their names serve messages alone.
        seed: the job's.
    """
    result = Found()
    for cell in request.cells:
        if cell.replicate:
            continue  # a draw of the same method
        own = (m for m in methods.values() if map_key(request.predictions, cell.layer, m) == cell.key)
        if (method := next(own, None)) is not None:
            result.methods[cell.method] = method
        else:
            result.missing[f"method {cell.method}"] = _why("method", cell.method, methods)
    for asked in sorted(request.metrics, key=lambda metric: bool(metric.terms)):  # terms before their sums
        if (metric := _metric(request, asked, metrics, seed)) is None:
            result.missing[f"metric {asked.name}"] = _why("metric", asked.name, metrics)
        elif absent := [term for term in asked.terms if term not in result.metrics]:
            result.missing[f"metric {asked.name}"] = result.missing[f"metric {absent[0]}"]
        else:
            result.metrics[asked.name] = metric
    return result


def _metric(request: Request, asked: RequestedMetric, given: Mapping[str, Metric], seed: int) -> Metric | None:
    if asked.terms:
        derived = (m for m in given.values() if isinstance(m, Derived))
        return next((m for m in derived if dict(m.terms) == dict(asked.terms)), None)
    score = next((s for s in request.scores if s.metric == asked.name and not s.replicate), None)
    plain = (m for m in given.values() if not isinstance(m, Derived))
    return None if score is None else next((m for m in plain if score_key(score.cell, m, seed) == score.key), None)


def _why(what: str, name: str, given: Mapping[str, object]) -> str:
    return (ANOTHER if name in given else NOT_GIVEN).format(what=what, name=name)

"""A run verified with objects of the reader's own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from heatmark.benchmarks.config.recorded import recorded
from heatmark.benchmarks.face.load import Images, load_images, load_model
from heatmark.benchmarks.face.preserved import preserved
from heatmark.benchmarks.face.things import MethodLike, MetricLike, methods_of, metrics_of
from heatmark.benchmarks.verify.jobs import matching
from heatmark.benchmarks.verify.verify import verify
from heatmark.benchmarks.verify.which import Which

T = TypeVar("T")


def verified(
    run: Path,
    model: Any,
    images: Images,
    methods: MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike],
    metrics: MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike],
    which: Mapping[str, Any],
) -> pd.DataFrame:
    """Return the verdicts on rows of a run; see :meth:`heatmark.benchmarks.face.run.Run.verify`."""
    classifier, dataset = load_model(model), load_images(images)
    asked = [job.request for job in matching(run, classifier)]
    options = {("images" if name == "pictures" else name): _listed(name, value) for name, value in which.items()}
    known_methods = recorded("method", ((c.method, c.options) for each in asked for c in each.cells))
    known_metrics = recorded("metric", ((m.name, m.options) for each in asked for m in each.metrics))
    all_methods, all_metrics = _joined(known_methods, methods_of(methods)), _joined(known_metrics, metrics_of(metrics))
    with preserved(classifier):
        return verify(run, classifier, dataset, all_methods, all_metrics, Which(**options))


def _listed(name: str, value: Any) -> Any:
    """Return one name as a list of names."""
    return [value] if isinstance(value, str) and name in ("pictures", "method", "layer", "metric") else value


def _joined(shipped: Mapping[str, T], given: Mapping[str, T]) -> dict[str, T]:
    """Return all of them: which one is meant is told by what it computes, not by its name."""
    return {**shipped, **{f"{name} (given)" if name in shipped else name: thing for name, thing in given.items()}}

"""A sweep of objects: models, pictures, methods and metrics as a user has them."""

import inspect
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, is_dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, overload

from torch import nn

from heatmark.benchmarks import api
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.face.load import Images, load_images, load_model
from heatmark.benchmarks.face.plan import DryRun
from heatmark.benchmarks.face.preserved import preserved
from heatmark.benchmarks.face.run import Run
from heatmark.benchmarks.face.targets import plain_target
from heatmark.benchmarks.face.things import MethodLike, MetricLike, methods_of, metrics_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.progress.shown import shown
from heatmark.benchmarks.sweep.estimate import Estimate
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.sweep.shards import WHOLE, parse_shard
from heatmark.benchmarks.tables.gather import gather, whole
from heatmark.common.errors import in_words
from heatmark.common.identity import options
from heatmark.common.names import did_you_mean
from heatmark.methods.base import Method
from heatmark.methods.given import GivenMaps
from heatmark.metrics.base import Metric

ModelLike = str | Path | nn.Module | Classifier


@overload
def sweep(
    model: ModelLike | Sequence[ModelLike],
    images: Images | Sequence[Dataset],
    methods: MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike],
    metrics: MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike],
    *,
    out: str | Path,
    dry_run: Literal[True],
    **settings: Any,
) -> DryRun: ...


@overload
def sweep(
    model: ModelLike | Sequence[ModelLike],
    images: Images | Sequence[Dataset],
    methods: MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike],
    metrics: MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike],
    *,
    out: str | Path,
    layers: str | Sequence[str] = "last",
    target: int | str | Sequence[int] = "predicted",
    shard: str = "",
    progress: bool = True,
    dry_run: Literal[False] = False,
    **settings: Any,
) -> Run: ...


def sweep(
    model: ModelLike | Sequence[ModelLike],
    images: Images | Sequence[Dataset],
    methods: MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike],
    metrics: MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike],
    *,
    out: str | Path,
    layers: str | Sequence[str] = "last",
    target: int | str | Sequence[int] = "predicted",
    shard: str = "",
    progress: bool = True,
    dry_run: bool = False,
    **settings: Any,
) -> Run | DryRun:
    """Explain pictures with methods, score every map with metrics, time the methods; return the run.

    What the folder holds already is not computed again. What fails on a picture is a row, and everything else goes on.

    Args:
        model: as :func:`heatmark.load_model` takes it; several in a list are several jobs of one run.
        images: as :func:`heatmark.load_images` takes them, or a list of datasets.
        methods: names, methods, or functions (model, images, targets, layer) -> maps.
        metrics: names or metrics.
        out: the run's folder.
        layers: roles of the model (``early``, ``middle``, ``last``, ``auto``) or dotted names.
        target: the class to explain: ``predicted``, ``second``, ``label``, a number or a name, or a class per picture.
        shard: ``3/8`` takes pictures 3, 11, 19, … alone; other processes take the others.
        progress: whether progress is shown.
        dry_run: whether only the cost is returned (cells, passes, time, disk), and nothing is run or written.
        settings: others of :class:`~heatmark.benchmarks.sweep.settings.SweepSettings`, such as ``device``,
            ``precision``, ``batch_size``, ``seed``, ``replicates``, ``timing``, ``keep_maps``, ``retry``, ``reuse``.

    Raises:
        ValueError: for anything in models, pictures, methods, metrics or settings that cannot be run.

    >>> import heatmark as hm, tempfile
    >>> images = hm.load_images("shapes", limit=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = hm.sweep(
    ...         "shapes_residual", images, ["grad_cam", "random"], ["deletion"], out=folder, progress=False,
    ...         timing=False,
    ...     )
    ...     run.scores.groupby("method").size().to_dict()
    {'grad_cam': 4, 'random': 20}
    """
    _require_known(settings)
    asked = SweepSettings(
        layers=[layers] if isinstance(layers, str) else list(layers), target=plain_target(target),
        shard=parse_shard(shard) if shard else WHOLE, **settings,
    )  # fmt: skip
    made, judges = methods_of(methods, asked.seed), metrics_of(metrics, asked.seed)
    _require_computed(made)
    session = _Session(made, judges, asked, Path(out).expanduser(), time.time(), progress)
    jobs = list(product(_models(model), _datasets(images)))
    if dry_run:
        return DryRun([session.estimate(load_model(source, asked.seed), dataset) for source, dataset in jobs])
    failed = session.run(jobs)
    if not whole(session.folder):  # parts whose damage the checksums alone show: what was in them is computed now
        failed = session.run(jobs)
    gather(session.folder)
    for name, error in failed:
        warnings.warn(f"{name} cannot run: {in_words(error)}", stacklevel=2)
    return Run(session.folder)


def _require_computed(methods: Mapping[str, Method]) -> None:
    """Raise for maps made elsewhere: a run's rows are told by picture and method, and not by the maps' order."""
    for name, method in methods.items():
        if isinstance(method, GivenMaps):
            raise ValueError(f"{name} are maps that were made elsewhere: score them with heatmark.score")


def _require_known(settings: Mapping[str, Any]) -> None:
    """Raise for a setting that a sweep has not, with the nearest that it has."""
    known = [*inspect.signature(sweep).parameters, *(field.name for field in fields(SweepSettings))]
    known = [name for name in dict.fromkeys(known) if name != "settings"]
    if unknown := [name for name in settings if name not in known]:
        hint = did_you_mean(unknown[0], known, f"it has {', '.join(known)}")
        raise ValueError(f"sweep has no setting {unknown[0]!r}: {hint}")


def _models(model: Any) -> list[ModelLike]:
    found = list(model) if isinstance(model, list | tuple) else [model]
    if not found:
        raise ValueError("there is no model: the list is empty")
    return found


def _datasets(images: Any) -> list[Dataset]:
    several = isinstance(images, list | tuple) and len(images) and all(isinstance(each, Dataset) for each in images)
    found = list(images) if several else [load_images(images)]
    told = [_told(dataset) for dataset in found]
    for dataset, facts in zip(found, told, strict=True):
        if told.count(facts) > 1:
            raise ValueError(
                f"two datasets are called {dataset.name}, and one would replace the other in the run: give each a "
                f'name of its own, as in load_images(…, name="{dataset.name}-2")'
            )
    return found


def _told(dataset: Dataset) -> dict[str, Any]:
    """Return what tells a dataset from others, as plain values: its name and options, not how many pictures it has."""
    own: dict[str, Any] = {f.name: getattr(dataset, f.name) for f in fields(dataset)} if is_dataclass(dataset) else {}
    plain = {name: value for name, value in own.items() if isinstance(value, str | int | float) and name != "limit"}
    inner = {name: _told(value) for name, value in own.items() if isinstance(value, Dataset)}
    return {"_target_": type(dataset).__name__, "name": dataset.name, **plain, **inner}


@dataclass(frozen=True)
class _Session:
    """What all jobs of one call have in common."""

    methods: Mapping[str, Method]
    metrics: Mapping[str, Metric]
    asked: SweepSettings
    folder: Path
    started: float
    progress: bool

    def run(self, jobs: Sequence[tuple[ModelLike, Dataset]]) -> list[tuple[str, Exception]]:
        """Run all jobs; return those that could not run, each with its error.

        Raises:
            Exception: the error of the first, where none could run.
        """
        failed = []
        for number, (source, dataset) in enumerate(jobs, start=1):
            try:
                said = f"job {number} of {len(jobs)}" if len(jobs) > 1 else ""
                self._run(load_model(source, self.asked.seed), dataset, said)
            except Exception as error:  # noqa: BLE001 - a job that cannot run costs no other anything
                failed.append((f"{_name(source)} on {dataset.name}", error))
        if len(failed) == len(jobs):
            raise failed[0][1]
        return failed

    def estimate(self, classifier: Classifier, dataset: Dataset) -> Estimate:
        """Return what a job would cost."""
        record = self._record(classifier, dataset)
        with preserved(classifier):
            return api.estimate(classifier, dataset, self.methods, self.metrics, self.asked, record)

    def _run(self, classifier: Classifier, dataset: Dataset, number: str) -> None:
        record = self._record(classifier, dataset)
        with preserved(classifier), shown(record, number) if self.progress else nullcontext(Observer()) as observer:
            try:
                api.sweep(classifier, dataset, self.methods, self.metrics, self.asked, record, observer)
            except Exception as error:
                record.failed(in_words(error))
                raise

    def _record(self, classifier: Classifier, dataset: Dataset) -> JobRecord:
        given = self._given(classifier, dataset)
        return JobRecord(self.folder, given, classifier.name, self.asked.shard, again(), self.started)

    def _given(self, classifier: Classifier, dataset: Dataset) -> dict[str, Any]:
        """Return what identifies the job, as plain values.

        The code of a method is no part of it: an edited method replaces the earlier one in the tables.
        """
        return {
            "model": {"name": classifier.name, "weights": classifier.weights, "digest": classifier.network_digest()},
            "dataset": _told(dataset),
            "layer": list(self.asked.layers),
            "method": {name: options(method) for name, method in self.methods.items()},
            "metric": {name: options(metric) for name, metric in self.metrics.items()},
            **{name: getattr(self.asked, name) for name in ("target", "device", "precision", "seed")},
        }


def _name(source: ModelLike) -> str:
    if isinstance(source, Classifier):
        return source.name
    return type(source).__name__ if isinstance(source, nn.Module) else str(source)


def again() -> list[str]:
    """Return the words of the command that runs this script again; none in a notebook or at a prompt."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    return ["python", *sys.argv] if script and Path(script).exists() else []

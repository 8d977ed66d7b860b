"""The core of Heatmark, which the command line and Python call with objects, never with a configuration."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.explain.explanation import Explanation, chosen_targets, maps_of
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import resolve_layers
from heatmark.benchmarks.models.predictions import Prediction, predict, top_k
from heatmark.benchmarks.sweep.estimate import Estimate
from heatmark.benchmarks.sweep.estimate import estimate as estimated
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.prepare import prepare
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.run import run
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric

if TYPE_CHECKING:
    from heatmark.benchmarks.bench import bench as bench
    from heatmark.benchmarks.conformance.check import check as check

SLOW_TO_IMPORT = {"bench": "heatmark.benchmarks.bench", "check": "heatmark.benchmarks.conformance.check"}
"""Functions of the core that are imported only when they are used, so that ``heatmark explain`` starts quickly."""


def __getattr__(name: str) -> object:
    if name in SLOW_TO_IMPORT:
        return getattr(importlib.import_module(SLOW_TO_IMPORT[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def sweep(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
    record: JobRecord,
    observer: Observer | None = None,
) -> None:
    """Run one job, a model on a dataset: explain, score and time it, and store the results in a run's folder.

    What is stored there is not computed again. What fails on an image is a row of the tables, and everything else goes
    on.

    Args:
        classifier: the model.
        dataset: its pictures.
        methods, metrics: by their names in the tables.
        settings: layers, target rule, device, precision, batch size, seed, timing.
        record: the job's record in the run's folder.
        observer: an observer of the cells; None for none.

    Raises:
        ValueError: before anything is explained, for anything in the model, data or settings that cannot be run.
    """
    observer = observer or Observer()
    plan = prepare(classifier, dataset, methods, metrics, settings, record.batch_size)
    record.running(plan.request)
    size = len(settings.shard.positions(len(dataset)))
    observer.planned(plan, -(-size // settings.block_size))
    with autocast(classifier.module, plan.run.precision):
        run(plan, record, observer)


def estimate(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
    record: JobRecord,
) -> Estimate:
    """Return what a sweep with these arguments would cost; nothing is explained, and nothing is written.

    Args:
        classifier: the model.
        dataset: its pictures.
        methods, metrics: by their names in the tables.
        settings: layers, target rule, device, precision, batch size, seed, timing.
        record: the job's record in the run's folder, which is read alone.

    Raises:
        ValueError: for anything in the model, data or settings that cannot be run.
    """
    plan = prepare(classifier, dataset, methods, metrics, settings, record.batch_size_unwritten)
    with autocast(classifier.module, plan.run.precision):
        return estimated(plan, record.store)


@dataclass(frozen=True)
class ExplainSettings:
    """The options of one picture's explanation other than the model and the methods.

    Args:
        layers: roles of the model or dotted names.
        targets: classes by number or name, or the rules ``predicted``, ``second``, ``label``.
        label: the true class by number or name, None if unknown.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
    """

    layers: Sequence[str] = ("last",)
    targets: Sequence[int | str] = ("predicted", "second")
    label: int | str | None = None
    device: str = "auto"
    precision: str = "fp32"


@dataclass(frozen=True)
class ExplainedPicture:
    """The explanation of one picture, the model's top classes, and what was left out.

    Args:
        explanation: everything that a panel shows.
        top: the most probable classes.
        left_out: the reasons why methods are left out, one per method and layer.
    """

    explanation: Explanation
    top: Sequence[Prediction]
    left_out: Sequence[str]


def explain(
    classifier: Classifier, picture: Image.Image, name: str, methods: Mapping[str, Method], settings: ExplainSettings
) -> ExplainedPicture:
    """Return the explanation of one picture for several classes, methods and layers.

    Args:
        classifier: the model; it is moved to the device.
        picture: the picture as it was read.
        name: the picture's name.
        methods: by name.
        settings: layers, classes, device, precision.

    Raises:
        ValueError: for an unknown class or layer, a model that gives no logits, or an empty list.
    """
    for what, given in (("method", methods), ("layer", settings.layers), ("target", settings.targets)):
        if not given:
            raise ValueError(f"{what} is empty, expected at least one")
    device = pick_device(settings.device)
    classifier.module.to(device).eval()
    image = classifier.preprocessing.image(picture)[None].to(device)
    with autocast(classifier.module, settings.precision):
        logits = predict(classifier, image, 1, device)
        targets = chosen_targets(settings.targets, logits, settings.label, classifier)
        layers = resolve_layers(classifier, settings.layers, image)
        columns, left_out = maps_of(methods, layers, classifier, image, [t.prediction.target for t in targets])
        top = top_k(classifier, image)[0]
    pixels = classifier.preprocessing.pixels(image)[0].permute(1, 2, 0).cpu().numpy()
    return ExplainedPicture(
        Explanation(name, classifier.name, classifier.weights, pixels, targets, columns), top, left_out
    )

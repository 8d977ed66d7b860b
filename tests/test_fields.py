"""Every field of a method, metric, model or sweep is classified: it changes numbers, speed, or names only.

A new field makes a test fail until it is listed here; whoever lists it decides whether it belongs to identities.
"""

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

import heatmark.methods
import heatmark.metrics
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric, Path

NUMBERS = {
    "CaptumPerturbation": "",
    "CentrePrior": "sigma",
    "Classifier": "module preprocessing options",
    "EffectivePixels": "threshold",
    "FeatureAblation": "n_superpixels",
    "Difference": "minuend subtrahend",
    "FusedLayers": "method layers how",
    "GradientSHAP": "n_samples stdev seed",
    "GuidedGradCAM": "interpolate_mode",
    "IntegratedGradients": "n_steps quadrature",
    "ImputedPath": "order fractions noise space ties seed",
    "GridPointingGame": "least empty",
    "IoU": "quantile",
    "IROF": "segments steps baseline ties seed",
    "Metric": "higher_is_better",
    "Monotonicity": "steps baseline ties seed",
    "MonotonicityCorrelation": "groups samples fill ties",
    "Occlusion": "window stride",
    "PixelFlipping": "steps baseline ties seed tie_orders rule score unit unit_size counting counted",
    "PixelPath": "order steps fill ties seed score unit unit_size counting counted fill_seed",
    "PointingGame": "tolerance",
    "Preprocessing": "resize crop mean std interpolation",
    "PytorchGradCAM": "cam",
    "AblationCAM": "perturbations",
    "GreedySearch": "aim cells baseline",
    "RegionPerturbation": "patch_size regions baseline rule ties seed",
    "RISE": "masks cells probability seed",
    "GivenMaps": "digest",
    "ADCC": "effect seed",
    "AverageDrop": "relative",
    "Neighbourhood": "radius samples noise kept",
    "RelativeStability": "epsilon all_kept",
    "ParameterRandomisation": "order similarity points until absolute",
    "SmoothParameterRandomisation": "noise samples",
    "EfficientParameterRandomisation": "bins",
    "InformationCurve": "thresholds seed_share min_score points",
    "Infidelity": "perturbation size fill samples scaled score",
    "Sufficiency": "fractions baseline score ties seed",
    "SubsetCorrelation": "cells share samples fill",
    "SensitivityN": "cells sizes samples fill",
    "ROAD": "fractions noise space ties seed",
    "RandomMap": "cells seed",
    "SeededCAM": "seed",
    "SingleDeletion": "cells fill score",
    "SmoothGrad": "n_samples noise_level seed",
    "SweepSettings": "layers target device precision seed",
    "TopKIntersection": "k fraction",
    "TwoClassContrast": "similarity",
    "_Surrogate": "n_superpixels n_samples seed",
}
"""Fields that change numbers, by the class that states them: they belong to the identity, or to a key of an artefact.

``layers`` and ``target`` of a sweep choose what is explained. Of ``device`` its kind alone counts.
"""

SPEED = {
    "AblationCAM": "batch_size",
    "CaptumPerturbation": "batch_size",
    "IntegratedGradients": "batch_size",
    "GreedySearch": "batch_size",
    "RISE": "batch_size",
    "GivenMaps": "maps",
    "ScoreCAM": "batch_size",
    "SweepSettings": "batch_size replicates timing repeats max_seconds shard block_size keep_maps retry reuse",
}
"""Fields that change speed, memory, timings, what is kept or how often it is drawn, and no number of a map, curve or
score.

(The batch size of a sweep moves last digits; it is recorded with every row, and is the same for all of a run.)
"""

NAMES = {
    "Classifier": "name weights layers classes checkpoint",
    **dict.fromkeys(("PixelFlipping", "ROAD", "RegionPerturbation", "SingleDeletion", "GridPointingGame"), "preset"),
    **dict.fromkeys(("Neighbourhood", "ParameterRandomisation", "ADCC", "Infidelity", "InformationCurve"), "preset"),
}
"""Fields that say how something is called, or abbreviate the values of other fields."""


def listed(table: dict[str, str]) -> set[tuple[str, str]]:
    return {(owner, name) for owner, names in table.items() for name in names.split()}


def subclasses(base: type) -> Iterator[type]:
    for cls in base.__subclasses__():
        yield cls
        yield from subclasses(cls)


def classes() -> list[type]:
    """Return the classes of all methods and metrics of the package, and of models and sweeps."""
    for package in (heatmark.methods, heatmark.metrics):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            with contextlib.suppress(ModuleNotFoundError):  # torch-cam, which need not be installed
                importlib.import_module(module.name)
    found = {cls for base in (Method, Metric, Path) for cls in subclasses(base) if is_dataclass(cls)}
    ours = [cls for cls in found if cls.__module__.startswith(("heatmark.methods.", "heatmark.metrics."))]
    return [*sorted(ours, key=lambda cls: (cls.__module__, cls.__name__)), Classifier, Preprocessing, SweepSettings]


def owner(cls: type, field: str) -> str:
    """Return the name of the class that first states a field."""
    return next(base.__name__ for base in reversed(cls.__mro__) if field in vars(base).get("__annotations__", {}))


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}")
def test_every_field_is_classified_once(cls: type) -> None:
    for field in fields(cls):
        place = (owner(cls, field.name), field.name)
        kinds = [kind for kind in (NUMBERS, SPEED, NAMES) if place in listed(kind)]
        assert len(kinds) == 1, f"{place} is in {len(kinds)} of the tables, expected 1"


@pytest.mark.parametrize(
    "cls", [cls for cls in classes() if issubclass(cls, Method | Metric | Path)], ids=lambda c: c.__name__
)
def test_methods_and_metrics_say_what_is_speed(cls: type) -> None:
    speed = {field.name for field in fields(cls) if (owner(cls, field.name), field.name) in listed(SPEED)}
    assert speed == {field.name for field in fields(cls)} & cls.speed_only

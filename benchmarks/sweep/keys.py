"""Keys of artefacts: digests of everything that can change their rows, and of nothing else."""

from typing import Any

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common import resize
from heatmark.common.digests import digest_json
from heatmark.common.identity import identity
from heatmark.common.source import is_users, source_digest
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric, Path, sums_up_curves


def model_key(classifier: Classifier, network: str, precision: str, device: str) -> str:
    """Return the key of a model's predictions.

    Args:
        classifier: the model; its name and the name of its weights are no part of the key, the code of the user's own
            modules is.
        network: its :meth:`~heatmark.benchmarks.models.classifier.Classifier.network_digest`, which reads all weights.
        precision: ``fp32`` or ``bf16``.
        device: the kind of device: ``cpu``, ``cuda`` or ``mps``.
    """
    classes = {type(part) for part in classifier.module.modules()}
    facts = {
        "network": network,
        "options": dict(classifier.options),
        "source": sorted(source_digest(cls) for cls in classes if is_users(cls)),
        "precision": precision,
        "device": device,
    }
    return digest_json({"predictions": facts})


def map_key(model: str, layer: str, method: Method) -> str:
    """Return the key of a cell's maps, from the model's key.

    Raises:
        ValueError: for a method with an option that is a function or another object, naming it.
    """
    return digest_json({"maps": {"model": model, "layer": layer, "method": identity(method)}})


def curve_key(maps: str, path: Path) -> str:
    """Return the key of the curves of a cell's maps along a path."""
    return digest_json({"curves": {"maps": maps, "path": identity(path), "resize": resize.VERSION}})


def score_key(maps: str, metric: Metric, seed: int) -> str:
    """Return the key of a metric's scores of a cell's maps: of its curves, where it sums up curves.

    Args:
        maps: key of the maps.
        metric: the metric.
        seed: the run's seed, a part of the key for a metric that draws.
    """
    facts: dict[str, Any] = {"metric": identity(metric), "seed": seed if metric.draws else None}
    if sums_up_curves(metric):
        return digest_json({"scores": facts | {"curves": [curve_key(maps, p) for p in (metric.path, *metric.bounds)]}})
    return digest_json({"scores": facts | {"maps": maps, "resize": resize.VERSION}})


def timing_key(maps: str, device: str, torch_version: str) -> str:
    """Return the key of a cell's timings on a device of this name."""
    return digest_json({"timings": {"maps": maps, "device": device, "torch": torch_version}})

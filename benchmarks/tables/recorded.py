"""Which job of a run's provenance a row of its tables belongs to."""

from collections.abc import Mapping
from typing import Any

from heatmark.benchmarks.statistics.digests import own_label

LABELS = ("model", "weights", "dataset")
DIGESTS = ("weights_digest", "images_digest")


def is_of(job: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Say whether a recorded job has a row's model, weights and dataset: their labels, and the digests it knows."""
    labelled = all(job.get(name) == own_label(str(facts[name])) for name in LABELS)
    return labelled and all((job.get(name) or facts[name]) == facts[name] for name in DIGESTS)

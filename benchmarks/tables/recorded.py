"""The assignment of table rows to the recorded job (one model on one dataset) that they come from."""

from collections.abc import Mapping
from typing import Any

from heatmark.benchmarks.statistics.digests import own_label

LABELS = ("model", "weights", "dataset")
DIGESTS = ("weights_digest", "images_digest")


def is_of(job: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Return whether a row comes from a recorded job: their labels are equal, and those digests that the job knows."""
    labelled = all(job.get(name) == own_label(str(facts[name])) for name in LABELS)
    return labelled and all((job.get(name) or facts[name]) == facts[name] for name in DIGESTS)

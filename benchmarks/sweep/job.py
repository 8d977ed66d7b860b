"""A job: one model on one dataset, with the class to explain for every image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.images import ImageSet
from heatmark.common.identity import digest_json


@dataclass(frozen=True)
class Job:
    """One model on one dataset, with the class to explain for every image."""

    classifier: Classifier
    dataset: str
    image_set: ImageSet
    targets: Tensor
    settings: Mapping[str, Any]
    """All else that changes numbers: target rule, seed, precision, kind of device, requested metrics."""

    def identity(self) -> dict[str, Any]:
        """Return what all cells of this job have in common, as plain JSON values."""
        return {
            "model": self.classifier.name,
            "weights": self.classifier.network_digest(),
            "model_options": self.classifier.options,
            "dataset": self.dataset,
            "images": self.image_set.digest(),
            "targets": digest_json(self.targets.tolist()),  # a class name may get another number
            **self.settings,
        }

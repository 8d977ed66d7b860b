"""Predictions of a classifier: its logits, and the most probable classes of each image, by name."""

from typing import NamedTuple

import torch
from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.outputs import as_logits, check_outputs
from heatmark.common.model_state import evaluating, observing
from heatmark.common.probabilities import class_probabilities


class Prediction(NamedTuple):
    """A class by its number and its name (the number again where unknown), and its probability in [0, 1]."""

    target: int
    name: str
    probability: float


def top_k(classifier: Classifier, images: Tensor, k: int = 5) -> list[list[Prediction]]:
    """Return every image's k most probable classes, most probable first; ties go to the lower index.

    Args:
        classifier: whose softmax is taken.
        images: (N, 3, H, W) on the model's device, preprocessed.
        k: number of classes, at least 1; all classes where there are fewer.

    Raises:
        ValueError: where the model gives NaN, or k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}, expected at least 1")
    with torch.no_grad(), evaluating(classifier.module):
        probabilities = class_probabilities(classifier.module(images)).cpu()
    if probabilities.isnan().any():
        raise ValueError(f"{classifier.name} ({classifier.weights}) gives NaN for one of {len(images)} images")
    best, order = probabilities.sort(dim=1, descending=True, stable=True)
    return [
        [Prediction(i, _name(classifier, i), p) for p, i in zip(row.tolist(), indices.tolist(), strict=True)]
        for row, indices in zip(best[:, :k], order[:, :k], strict=True)
    ]


def _name(classifier: Classifier, index: int) -> str:
    return classifier.classes[index] if classifier.classes else str(index)


def predict(classifier: Classifier, images: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Return the logits (N, classes) on the CPU, looked at before anything is explained.

    Raises:
        ValueError: where the model gives NaN, infinity or no logits (:mod:`heatmark.benchmarks.models.outputs`).
    """
    chunks = torch.split(images, batch_size)
    with observing(classifier.module):
        parts = [as_logits(classifier, classifier.module(chunk.to(device)), len(chunk)) for chunk in chunks]
    logits = torch.cat(parts)
    if not logits.isfinite().all():
        bad = int((~logits.isfinite().all(1)).sum())
        raise ValueError(
            f"{classifier.name} ({classifier.weights}) gives NaN or infinite logits for {bad} of {len(images)} images; "
            "check the weights and the preprocessing (nothing was explained)"
        )
    check_outputs(classifier, logits, images[:1].to(device))
    return logits

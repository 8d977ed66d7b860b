"""Mosaics of pictures that models are sure of."""

from collections.abc import Sequence

import torch
from PIL import Image

from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.data.mosaic import Label, Mosaic, cell_picture, readable
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.outputs import as_logits
from heatmark.benchmarks.sweep.blocks import class_of
from heatmark.common.batching import chunks, padded
from heatmark.common.model_state import observing
from heatmark.common.probabilities import class_probabilities

BATCH = 16
"""Pictures in every forward pass."""


def mosaic(
    pictures: Dataset,
    side: int = 2,
    limit: int = 25,
    size: int | None = None,
    seed: int = 0,
    heads: bool = False,
    confidence: float | None = None,
    model: Classifier | Sequence[Classifier] | None = None,
) -> Mosaic:
    """Return mosaics of pictures that a model classifies rightly with some confidence, as Rao et al. (CVPR 2022) do.

    Args:
        pictures: the dataset whose pictures stand in the cells.
        side: pictures per side.
        limit: number of mosaics.
        size: of a cell in pixels; None keeps the pictures'.
        seed: of the mosaics.
        heads: whether labels name the cell, too.
        confidence: least probability of the right class, .99 in the paper; None takes all pictures that have a label.
        model: whose probability it is; of several, all must be sure, so that all see the same mosaics.

    Raises:
        ValueError: for a confidence out of [0, 1], or without a model; else as :class:`.Mosaic`: pictures of too few
            classes qualify.
    """
    if confidence is None:
        return Mosaic(pictures, side, limit, size, seed, heads)
    if not 0 <= confidence <= 1:
        raise ValueError(f"confidence is {confidence!r}, expected a probability in [0, 1], or null")
    models = [model] if isinstance(model, Classifier) else list(model or [])
    if not models:
        raise ValueError(f"confidence={confidence} needs a model whose probability it is: give model=")
    chosen = confident(pictures, models, confidence, size)
    try:
        return Mosaic(pictures, side, limit, size, seed, heads, chosen)
    except ValueError as error:
        sure = " and ".join(each.name for each in models)
        raise ValueError(f"{error} ({sure}: right with a probability of at least {confidence})") from None


def confident(pictures: Dataset, models: Sequence[Classifier], confidence: float, size: int | None) -> dict[int, Label]:
    """Return the class by position of the pictures to which every model gives the right class with this probability.

    Every picture goes through a model under the model's own preprocessing, as it stands in a cell of this
    size. A picture without a label is of the class that the models agree on.

    Raises:
        ValueError: where pictures are of several sizes and no size is given.
    """
    first, *others = (_sure(model, pictures, confidence, size) for model in models)
    return {position: label for position, label in first.items() if all(each.get(position) == label for each in others)}


def _sure(model: Classifier, pictures: Dataset, confidence: float, size: int | None) -> dict[int, Label]:
    """Return the class by position of the pictures of which one model is sure."""
    found: dict[int, Label] = {}
    for part in chunks(readable(pictures, size), BATCH):
        probabilities, classes = _top(model, [cell_picture(sample.image, size) for _, sample in part])
        for (position, sample), probability, top in zip(part, probabilities, classes, strict=True):
            right = top if sample.label is None else class_of(sample.label, pictures, model)
            if probability >= confidence and top == right:
                found[position] = top if sample.label is None else sample.label
    return found


def _top(model: Classifier, pictures: Sequence[Image.Image]) -> tuple[list[float], list[int]]:
    """Return the probability and the number of each picture's most probable class."""
    weight = next(model.module.parameters(), torch.zeros(()))
    images = torch.stack([model.preprocessing.image(picture) for picture in pictures]).to(weight.device)
    with observing(model.module):  # in full batches, so that no picture qualifies by its neighbours
        logits = as_logits(model, model.module(padded(images, BATCH)), BATCH)[: len(images)]
    best = class_probabilities(logits).max(dim=1)
    return best.values.tolist(), best.indices.tolist()

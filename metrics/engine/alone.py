"""Groups of an image's pixels, each replaced alone or with others: their relevance, and the score without them."""

from collections.abc import Hashable, Iterator

import numpy as np
import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.common.probabilities import full_precision
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.known_scores import INTACT, KnownScores, place_of, scored_once
from heatmark.metrics.engine.perturbation import Filled, perturbation_scores
from heatmark.metrics.engine.target_scores import find_score

VERSION = 1
"""Raised by whoever changes a sum or a score."""


def grid_cells(images: Tensor, cells: int) -> Tensor:
    """Return the cell of every pixel, (N, H·W), of cells × cells rectangles whose sides differ by a pixel at most.

    Raises:
        ValueError: if there are more cells per side than pixels.
    """
    height, width = images.shape[-2:]
    if not 1 <= cells <= min(height, width):
        raise ValueError(f"cells={cells} per side, expected 1 to {min(height, width)}, the pixels of the shorter side")
    rows, columns = (torch.arange(side, device=images.device) * cells // side for side in (height, width))
    return (rows[:, None] * cells + columns).flatten().expand(len(images), -1)


def cells_of(fill: str, count: int) -> Hashable:
    """Return the name of this many :func:`grid_cells` and their fill, under which scores are known."""
    return "cells", count, fill


def sums(groups: Tensor, values: Tensor, count: int) -> Tensor:
    """Return the sum of values over each group, (N, count), float64 on the CPU, where sums have one order.

    Args:
        groups: (N, H·W), the group of every pixel, counted from 0.
        values: (N, H, W).
        count: number of groups.
    """
    pairs = zip(groups.cpu(), values.flatten(1).cpu().double(), strict=True)
    return torch.stack([group.bincount(each, minlength=count) for group, each in pairs])


def intact_scores(batch: Explained, score: str) -> Tensor:
    """Return the target's score of the images themselves, (N, 1); NaN for an image whose map contains NaN."""
    nowhere = torch.zeros_like(batch.maps, dtype=torch.int64).flatten(1)
    return perturbation_scores(batch, Filled(batch.images), nowhere, [0], score)


def scores_without(batch: Explained, fill: Filled, groups: Tensor, count: int, score: str) -> Tensor:
    """Return the target's score of the images with one group of pixels replaced, (N, count): see :func:`scores_of`."""
    each = torch.eye(count, dtype=torch.bool, device=groups.device)
    return scores_of(batch, fill, groups, each.expand(len(groups), -1, -1), score)


def scores_of(batch: Explained, fill: Filled, groups: Tensor, replaced: Tensor, score: str) -> Tensor:
    """Return the target's score of the images with some groups of pixels replaced, (N, K), in full batches.

    Args:
        batch: model, images, targets and batch size; what ``batch.known`` holds costs no pass.
        fill: the images with all pixels replaced; ``name`` names the groups, too, or is None, and nothing is known.
        groups: (N, H·W), the group of every pixel, counted from 0.
        replaced: (N, K, G) booleans, the groups that are replaced.
        score: name of the score of the logits.
    """
    images, of_logits = batch.images, find_score(score)
    known = batch.known if batch.known and fill.name is not None else KnownScores(range(len(images)), {})
    sets = [np.packbits(each, axis=1) for each in replaced.cpu().numpy()]
    places = [
        [place_of(image, score, fill.name, each.tobytes() if each.any() else INTACT) for each in row]
        for image, row in zip(known.images, sets, strict=True)
    ]

    def compute(which: Tensor, points: Tensor) -> Tensor:
        scores = [full_precision(images.new_empty(0))]
        for n, k in _batches(which.to(images.device), points.to(images.device), batch.batch_size):
            where = replaced[n, k].gather(1, groups[n]).view(len(n), 1, *images.shape[2:])
            scores.append(of_logits(batch.model(torch.where(where, fill.images[n], images[n])), batch.targets[n]))
        return torch.cat(scores)[: len(which)]

    with torch.no_grad():
        return scored_once(known.scores, places, compute).view(len(images), replaced.shape[1])


def _batches(images: Tensor, points: Tensor, size: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield pairs of positions in full batches, the last one filled up by its last pair."""
    if len(images):
        whole = -(-len(images) // size) * size
        yield from zip(*(torch.split(padded(each, whole), size) for each in (images, points)), strict=True)

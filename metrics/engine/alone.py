"""Groups of an image's pixels, each replaced alone: their relevance, and the score without them."""

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.metrics.base import Explained
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


def scores_without(batch: Explained, fill: Tensor, groups: Tensor, count: int, score: str) -> Tensor:
    """Return the target's score of the images with one group of pixels replaced, (N, count), in full batches.

    Args:
        batch: model, images, targets and batch size.
        fill: (N, C, H, W), the images with all pixels replaced; may be an expanded view.
        groups: (N, H·W), the group of every pixel, counted from 0.
        count: number of groups, each of which costs a forward pass per image.
        score: name of the score of the logits.
    """
    images = batch.images
    pairs = torch.arange(len(images) * count, device=images.device)
    whole = padded(pairs, -(-len(pairs) // batch.batch_size) * batch.batch_size)
    scores, of_logits = [], find_score(score)
    with torch.no_grad():
        for part in torch.split(whole, batch.batch_size):
            n, group = part // count, part % count
            where = (groups[n] == group[:, None]).view(len(part), 1, *images.shape[2:])
            scores.append(of_logits(batch.model(torch.where(where, fill[n], images[n])), batch.targets[n]))
    return torch.cat(scores)[: len(pairs)].view(len(images), count)

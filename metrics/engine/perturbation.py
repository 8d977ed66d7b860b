"""Perturbation curves: the target's probability while pixels are perturbed in the order of their relevance.

Pixels are ranked once per image, masked batches are built on the device, and nothing is copied to the host inside the
loop. K + 1 points cost K + 1 forward passes per image, in memory that does not grow with K.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.common.probabilities import full_precision, target_probabilities
from heatmark.metrics.base import Curve, Explained

VERSION = 1
"""Raised by whoever changes a curve that this module computes; it outdates everything that imports it."""


def relevance_ranks(maps: Tensor, ties: Tensor) -> Tensor:
    """Return the rank of every pixel by descending relevance, (N, H·W) integers, 0 for the most relevant.

    Only the order of the values counts, so that a map need not be positive or normalised. The ranks of a map with NaN
    are meaningless.

    Args:
        maps: (N, H, W).
        ties: (N, H·W), each image's pixels in the order that decides between equal values.
    """
    # +0 makes −0 into 0, which some devices sort apart.
    values = (maps.flatten(1) + 0).gather(1, ties)
    order = ties.gather(1, values.argsort(dim=1, descending=True, stable=True))
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


def pixel_counts(pixels: int, steps: int) -> list[int]:
    """Return how many pixels are perturbed at each of steps + 1 points: round(pixels · k / steps), from 0 to all.

    Raises:
        ValueError: if there are fewer pixels than steps, or no step.
    """
    if not 1 <= steps <= pixels:
        raise ValueError(f"steps={steps}, expected 1 to {pixels}, the number of pixels of an image")
    return [round(pixels * step / steps) for step in range(steps + 1)]


def perturbation_curves(batch: Explained, start: Tensor, end: Tensor, ties: Tensor, counts: Sequence[int]) -> Curve:
    """Return the target's probability while the start images' pixels are replaced, most relevant first.

    At a point with count c, the image is x = end where rank < c, else start, for all channels of a pixel at once. The
    score is p(target | x), the softmax probability.

    Args:
        batch: model, targets, maps and batch size; its images are not used.
        start: (N, 3, H, W), the images with no pixel perturbed.
        end: (N, 3, H, W), the images with all pixels perturbed; may be an expanded view.
        ties: (N, H·W), the order of pixels of equal value; see :mod:`heatmark.metrics.engine.ties`.
        counts: number of pixels perturbed at each point, ascending.

    Returns:
        The curves, x = counts / (H·W); NaN for an image whose map contains NaN, which costs no forward pass.

    Raises:
        ValueError: if the shapes do not match, or the model is in training mode.
    """
    _check(batch, start, end)
    pixels = start.shape[2] * start.shape[3]
    ordered = ~batch.maps.flatten(1).isnan().any(dim=1)
    with torch.no_grad():
        part = replace(batch, maps=batch.maps[ordered], targets=batch.targets[ordered])
        scored = _scores(part, start[ordered], end[ordered], ties[ordered], counts)
    scores = scored.new_full((len(start), len(counts)), torch.nan)
    scores[ordered] = scored
    fractions = torch.tensor([count / pixels for count in counts], dtype=scores.dtype, device=scores.device)
    return Curve(fractions, scores, "fraction of pixels exchanged")


def _scores(batch: Explained, start: Tensor, end: Tensor, ties: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the target's probability, (N, K), computed in batches over all pairs of image and point."""
    if not len(start):
        return full_precision(start.new_empty(0, len(counts)))
    ranks = relevance_ranks(batch.maps, ties).view(len(start), 1, *start.shape[2:])
    thresholds = torch.tensor(counts, device=start.device).repeat(len(start)).view(-1, 1, 1, 1)
    images = torch.arange(len(start), device=start.device).repeat_interleave(len(counts))
    scores = [
        _scores_of_pairs(batch, ranks, (start, end), image, threshold)
        for image, threshold in zip(
            *(torch.split(pairs, batch.batch_size) for pairs in (images, thresholds)), strict=True
        )
    ]
    return torch.cat(scores).view(len(start), len(counts))


def _scores_of_pairs(
    batch: Explained, ranks: Tensor, ends: tuple[Tensor, Tensor], images: Tensor, thresholds: Tensor
) -> Tensor:
    """Return the target's probability at pairs of image and threshold, at most ``batch_size`` of them.

    A short batch is padded with its last pair: every forward pass has one size, so that a score does not depend on how
    many others are computed with it.
    """
    pairs = len(images)
    images, thresholds = padded(images, batch.batch_size), padded(thresholds, batch.batch_size)
    start, end = ends
    perturbed = torch.where(ranks[images] < thresholds, end[images], start[images])
    return target_probabilities(batch.model, perturbed, batch.targets[images])[:pairs]


def area(curve: Curve) -> Tensor:
    """Return the area under each curve, (N,): ∫ y dx by the trapezoidal rule; in [0, 1] if x and y are."""
    return torch.trapezoid(curve.y, curve.x, dim=-1)


def _check(batch: Explained, start: Tensor, end: Tensor) -> None:
    if batch.model.training:
        raise ValueError("the model is in training mode, where images of a batch change each other; call model.eval()")
    expected = (len(start), *start.shape[2:])
    if end.shape != start.shape or batch.maps.shape != expected or batch.targets.shape != expected[:1]:
        raise ValueError(
            f"images of {tuple(start.shape)} need maps {expected} and targets {expected[:1]}, got maps "
            f"{tuple(batch.maps.shape)}, targets {tuple(batch.targets.shape)} and a baseline of {tuple(end.shape)}"
        )

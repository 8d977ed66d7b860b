"""Perturbation scores: the target's score while pixels are perturbed in the order of their relevance.

Pixels are ranked once per image, masked batches are built on the device, and nothing is copied to the host inside the
loop. K points cost K forward passes per image, in memory that does not grow with K.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.common.probabilities import full_precision
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.known_scores import KnownScores, place_of, scored_once, set_digests
from heatmark.metrics.engine.target_scores import TargetScore, find_score

VERSION = 1
"""Raised by whoever changes a score of a perturbed image: outdates the curves of pixels."""


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
        raise ValueError(f"steps={steps}, expected 1 to {pixels}, the number of pixels of an image, or of its units")
    return [round(pixels * step / steps) for step in range(steps + 1)]


@dataclass(frozen=True)
class Filled:
    """Images with all pixels replaced.

    Args:
        images: (N, C, H, W); may be an expanded view.
        name: what replaces the pixels; equal only where it gives the same images.
    """

    images: Tensor
    name: Hashable = ""


def perturbation_scores(
    batch: Explained, fill: Filled, ranks: Tensor, counts: Tensor | Sequence[int], score: str = "probability"
) -> Tensor:
    """Return the target's score while the images' pixels are replaced in the order of their ranks, (N, K).

    At a point with count c, the image is x = fill where rank < c, else the image itself, for all channels of a pixel at
    once, which the model and then the score judge. Every forward pass has ``batch.batch_size`` images, the last one
    filled up by repeating its last image, so that neither neighbours nor position change a bit. A perturbed image whose
    score ``batch.known`` holds costs no pass.

    Args:
        batch: model, images, targets, maps and batch size, as :func:`require_evaluable` wants them.
        fill: the images with all pixels replaced.
        ranks: (N, H·W), the place of each pixel in the order in which they are replaced; or (N, C·H·W), that of each
            channel of a pixel.
        counts: number of pixels, or of their channels, replaced at each point, (K,), or (N, K) where each image has its
            own.
        score: name of the score of the logits, by default p(target | x), the softmax probability.

    Returns:
        The scores; NaN for an image whose map or fill contains NaN, which costs no forward pass.

    """
    undefined = batch.maps.flatten(1).isnan().any(dim=1) | fill.images.flatten(1).isnan().any(dim=1)
    ordered = (~undefined).nonzero()[:, 0]
    points = torch.as_tensor(counts, device=ranks.device)
    points = points.expand(len(ranks), points.shape[-1])
    part = replace(batch, images=batch.images[ordered], targets=batch.targets[ordered])
    known = (batch.known or KnownScores(range(len(ranks)), {})).of(ordered.tolist())
    places = [
        [place_of(image, score, fill.name, replaced) for replaced in row]
        for image, row in zip(known.images, set_digests(ranks[ordered], points[ordered]), strict=True)
    ]
    pairs = _Pairs(part, fill.images[ordered], ranks[ordered], points[ordered], find_score(score))
    with torch.no_grad():
        scored = scored_once(known.scores, places, pairs.scores)
    scores = scored.new_full(points.shape, torch.nan)
    scores[ordered] = scored.view(-1, points.shape[1])
    return scores


@dataclass(frozen=True)
class _Pairs:
    """Pairs of an image and a point, each a perturbed image."""

    batch: Explained
    fill: Tensor
    ranks: Tensor
    counts: Tensor
    score: TargetScore

    def scores(self, images: Tensor, points: Tensor) -> Tensor:
        """Return the target's scores, (M,), at pairs of these positions, computed in full batches."""
        if not len(images):
            return full_precision(self.fill.new_empty(0))
        size, batch = self.batch.batch_size, self.batch
        whole = -(-len(images) // size) * size
        images, points = images.to(self.fill.device), points.to(self.fill.device)
        ranks, counts = self.ranks.view(len(self.fill), -1, *self.fill.shape[2:]), self.counts[images, points]
        scores = [
            self.score(
                batch.model(torch.where(ranks[image] < count, self.fill[image], batch.images[image])),
                batch.targets[image],
            )
            for image, count in zip(
                *(torch.split(padded(each, whole), size) for each in (images, counts.view(-1, 1, 1, 1))), strict=True
            )
        ]
        return torch.cat(scores)[: len(images)]


def require_evaluable(batch: Explained) -> None:
    """Refuse a batch whose images cannot be perturbed in the order of its maps.

    Raises:
        ValueError: if the shapes do not match, or the model is in training mode.
    """
    if batch.model.training:
        raise ValueError("the model is in training mode, where images of a batch change each other; call model.eval()")
    shape = tuple(batch.images.shape)
    expected = (shape[0], *shape[2:])
    if batch.maps.shape != expected or batch.targets.shape != expected[:1]:
        raise ValueError(
            f"images of {shape} need maps {expected} and targets {expected[:1]}, got maps {tuple(batch.maps.shape)} "
            f"and targets {tuple(batch.targets.shape)}"
        )

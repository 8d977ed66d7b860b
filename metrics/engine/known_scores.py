"""Scores of perturbed images that are known, so that equal perturbed images are scored once.

What perturbs an image is a set of pixels and what replaces them. Maps that order the pixels alike, paths that have
points in common and the two ends of every path give the same images.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

Place = tuple[Hashable, ...]
"""What a perturbed image is: which image, how it is scored, what replaces pixels, and which."""

INTACT, FILLED = "intact", "filled"
"""Instead of the digest of a set: no pixel is replaced, and all are."""
LIMIT = 2**19
"""Number of scores that are kept beside those of intact and filled images: some 150 MB."""
BITS = 40
"""Of the random numbers that are added up: sums over 2²³ pixels stay below 2⁶³."""


@dataclass(frozen=True)
class KnownScores:
    """Scores of perturbed images that are known, shared by all who score the same images.

    Args:
        images: a name for each image of a batch, equal only for equal images with one class explained that are scored
            in batches of one size by one model.
        scores: by what the perturbed image is; new ones are added.
    """

    images: Sequence[Hashable]
    scores: dict[Place, float]

    def of(self, which: Sequence[int]) -> "KnownScores":
        """Return the same for some images, in this order."""
        return KnownScores([self.images[n] for n in which], self.scores)


def set_digests(ranks: Tensor, counts: Tensor) -> list[list[int | str]]:
    """Return a digest of the set of pixels whose rank is below each count, for each image and count.

    digest = Σ_{pixels p with rank(p) < count} r_p, twice, with random numbers r_p in [0, 2⁴⁰) that are always the same:
    two different sets have one digest with a probability of about 2⁻⁸⁰. The empty and the full set have names instead.

    Args:
        ranks: (N, P) integers, the place of each pixel in an order.
        counts: (N, K) integers in [0, P].
    """
    pixels = ranks.shape[1]
    numbers = _numbers(pixels).to(ranks.device)
    sums = [_sums(order, numbers, points) for order, points in zip(ranks, counts, strict=True)]
    if not sums:
        return []
    first, second = torch.stack(sums, dim=1).tolist()
    ends: Mapping[int, str] = {0: INTACT, pixels: FILLED}
    return [
        [ends.get(count, (a << 64) + b) for count, a, b in zip(*row, strict=True)]
        for row in zip(counts.tolist(), first, second, strict=True)
    ]


def _sums(order: Tensor, numbers: Tensor, counts: Tensor) -> Tensor:
    """Return the sums over the pixels before each count, (2, K), of numbers (2, P) of pixels in an order (P,)."""
    placed = torch.zeros_like(numbers).scatter_(1, order.expand_as(numbers), numbers)
    before = torch.nn.functional.pad(placed.cumsum(dim=1), (1, 0))
    return before[:, counts.to(before.device)]


@lru_cache(maxsize=4)
def _numbers(pixels: int) -> Tensor:
    return torch.randint(2**BITS, (2, pixels), generator=torch.Generator().manual_seed(pixels))


def place_of(image: Hashable, score: str, fill: Hashable, replaced: Hashable) -> Place:
    """Return what a perturbed image is: an intact one is the same whatever the fill.

    Args:
        image: its name.
        score: name of the score.
        fill: what replaces pixels.
        replaced: digest of the set of replaced pixels.
    """
    return (image, score, INTACT) if replaced == INTACT else (image, score, fill, replaced)


def scored_once(
    known: dict[Place, float], places: Sequence[Sequence[Place]], compute: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Return the scores of perturbed images, (N, K), of which those that are not known are computed and then known.

    Args:
        known: scores by place; new ones are added.
        places: of K perturbed images of each of N images.
        compute: the scores (M,) of perturbed images, given the positions (M,) of their images and of their points.
    """
    missing = [(n, k) for n, row in enumerate(places) for k, place in enumerate(row) if place not in known]
    found = compute(*torch.tensor(missing, dtype=torch.int64).view(-1, 2).unbind(dim=1))
    scores = {places[n][k]: score for (n, k), score in zip(missing, found.tolist(), strict=True)}
    values = [[scores[place] if place in scores else known[place] for place in row] for row in places]
    remember(known, scores)
    return found.new_tensor(values)


def remember(known: dict[Place, float], scores: Mapping[Place, float]) -> None:
    """Add scores to those that are known; beyond :data:`LIMIT` only intact and filled images are kept."""
    known.update(scores)
    if len(known) > LIMIT:
        for place in [place for place in known if place[-1] not in (INTACT, FILLED)]:
            del known[place]

"""Planted maps: real maps inverted, shuffled step by step, scaled and shifted, beside the truth and random ones."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from heatmark.benchmarks.cards.variants import FACTOR, RANDOM, SHARES, TRUTH, Variant

Maps = Sequence[Tensor]
"""One map (h, w) per picture, NaN where there is none."""


def planted(real: Mapping[str, Maps], truth: Maps, random: Maps, seeds: Sequence[int]) -> dict[Variant, Maps]:
    """Return all variants of maps that a card is made of.

    Args:
        real: maps by the method's name.
        truth: masks of the classes explained, 1 inside and 0 outside.
        random: maps of noise.
        seeds: one per picture, of what is shuffled.
    """
    found: dict[Variant, Maps] = {TRUTH: truth, RANDOM: random}
    for method, maps in real.items():
        found[Variant("real", method)] = maps
        found[Variant("inverted", method)] = [-each for each in maps]
        found[Variant("scaled", method)] = [FACTOR * each for each in maps]
        found[Variant("shifted", method)] = [each + each.abs().max() for each in maps]
        for share in SHARES:
            pairs = zip(maps, seeds, strict=True)
            found[Variant("shuffled", method, share)] = [shuffled(each, share, seed) for each, seed in pairs]
    return found


def shuffled(values: Tensor, share: int, seed: int) -> Tensor:
    """Return a map (h, w) of which a share of the values has changed places among themselves.

    Which ones is drawn once per seed: the pixels of a smaller share are among those of a larger one.

    Args:
        values: the raw map.
        share: per cent of its pixels.
        seed: of the draw.

    >>> import torch
    >>> values = torch.arange(100.0).view(10, 10)
    >>> int((shuffled(values, 20, seed=0) != values).sum()) <= 20
    True
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(values.numel(), generator=generator)[: round(share / 100 * values.numel())]
    moved = chosen[torch.randperm(len(chosen), generator=generator)]
    found = values.flatten().clone()
    found[chosen] = values.flatten()[moved]
    return found.view_as(values)

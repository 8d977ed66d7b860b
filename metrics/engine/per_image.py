"""Sums, counts and scores per image, whose bits depend on no other image of the batch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.metrics.base import Scores

VERSION = 1
"""Raised by whoever changes a sum's rounding: outdates the metrics that read maps alone."""

NOT_FINITE = "the map contains NaN or infinite values"
"""Why an image has no value under a metric that computes with the values of its map."""


def precise(values: Tensor) -> Tensor:
    """Return values as float64; as float32 on MPS, which has no float64."""
    return values.to(torch.float32 if values.device.type == "mps" else torch.float64)


def pixels(where: Tensor) -> Tensor:
    """Return the number of pixels of each image at which booleans (n, H, W) are true, (n,) integers."""
    return where.flatten(1).sum(dim=1)


def not_finite(maps: Tensor) -> Tensor:
    """Return which maps (N, H, W) contain NaN or infinite values, (N,) booleans."""
    return ~maps.flatten(1).isfinite().all(dim=1)


def sums(values: Tensor) -> Tensor:
    """Return the sum of each row, (N,), of values (N, P).

    One half of the row is added to the other until one number is left. These additions are the same whatever N and the
    device; ``Tensor.sum`` adds in an order that depends on both.
    """
    while values.shape[1] > 1:
        first, second = F.pad(values, (0, values.shape[1] % 2)).chunk(2, dim=1)
        values = first + second
    return values.sum(dim=1)  # of one number, or of none


def judged(maps: Tensor, reasons: Sequence[str], judge: Callable[[Sequence[int]], Tensor], undefined: str) -> Scores:
    """Return the scores of images, of which those with a reason against them are not judged.

    Args:
        maps: (N, H, W), for the device.
        reasons: why an image cannot be judged, one text per image, ``""`` where it can.
        judge: from the positions of n images to their values, (n,).
        undefined: the reason of a value that ``judge`` gives as NaN.
    """
    values = precise(maps.new_full((len(reasons),), torch.nan))
    where = [n for n, why in enumerate(reasons) if not why]
    if where:
        values[where] = judge(where).to(values.dtype)
    return Scores(
        values,
        [why or (undefined if lost else "") for why, lost in zip(reasons, values.isnan().tolist(), strict=True)],
    )


def reasons_of(faults: Sequence[tuple[Tensor, str]]) -> list[str]:
    """Return the first reason that holds of each image, ``""`` where none does.

    Args:
        faults: pairs of (N,) booleans, whether it holds, and the reason; the first pairs come first.
    """
    flags = torch.stack([holds for holds, _ in faults], dim=1).tolist()
    return [next((faults[n][1] for n, holds in enumerate(row) if holds), "") for row in flags]

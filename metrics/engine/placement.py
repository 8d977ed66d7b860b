"""Placement: whether a map's relevance lies on the mask of the class explained."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.metrics.base import Explained, Metric, Need, Scores
from heatmark.metrics.engine.per_image import NOT_FINITE, judged, not_finite, pixels, precise, reasons_of

VERSION = 1
"""Raised by whoever changes which pixels count, or how ties are counted: outdates the metrics of placement."""

NO_MASK = "the image has no mask of the class explained"
EMPTY = "the mask is empty, or all its pixels are ignored"


@dataclass(frozen=True)
class Placement(Metric):
    """The base class of metrics that compare a map with the mask of the class explained, without a forward pass.

    An image has no value, for the reason given, if it has no mask of the class explained, if no pixel of its mask
    counts, or if its map contains NaN or infinite values. Pixels of ``ignore`` count neither inside nor outside.

    Raises:
        ValueError: when called: if the shapes of maps, masks and ignored pixels differ, or masks are not boolean.
    """

    higher_is_better: ClassVar[bool | None] = True
    needs: ClassVar[frozenset[Need]] = frozenset({"masks"})
    undefined: ClassVar[str] = "undefined"
    """The reason of a value that :meth:`placed` gives as NaN."""

    @abstractmethod
    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return one number per image, (n,), NaN where undefined.

        Args:
            relevance: (n, H, W) in float64, −∞ at pixels that do not count, finite at all others.
            masks: (n, H, W) booleans, false at pixels that do not count, true at one pixel at least.
        """

    def __call__(self, batch: Explained) -> Scores:
        """Return one number per image; NaN, with the reason, where undefined."""
        _require_masks(batch)
        counted = torch.ones_like(batch.maps, dtype=torch.bool) if batch.ignore is None else ~batch.ignore
        masks = torch.zeros_like(counted) if batch.masks is None else batch.masks & counted

        def judge(where: Sequence[int]) -> Tensor:
            relevance = precise(batch.maps[where]).masked_fill(~counted[where], -torch.inf)
            return self.placed(relevance, masks[where])

        return judged(batch.maps, _reasons(batch, masks), judge, self.undefined)

    def passes(self, image_size: tuple[int, int]) -> float | None:  # noqa: ARG002
        """Return 0: no image goes through the model."""
        return 0.0


def expected_hits(relevance: Tensor, masks: Tensor, counts: Tensor) -> Tensor:
    """Return how many of the most relevant pixels lie inside the mask, (n,), where c are the most relevant ones.

    hits = |{a > t} ∩ mask| + (c − |{a > t}|) · |{a = t} ∩ mask| / |{a = t}|, t the c-th largest relevance a,

    which is the mean over all orders of pixels of equal relevance.

    Args:
        relevance: (n, H, W), −∞ at pixels that do not count.
        masks: (n, H, W) booleans, false at pixels that do not count.
        counts: (n,) integers c, from 1 to the number of pixels that count.
    """
    threshold = nth_largest(relevance, counts)
    above, level = relevance > threshold, relevance == threshold
    share = precise(pixels(level & masks)) / precise(pixels(level))
    return precise(pixels(above & masks)) + precise(counts - pixels(above)) * share


def nth_largest(relevance: Tensor, counts: Tensor) -> Tensor:
    """Return the c-th largest value of each map, (n, 1, 1), for maps (n, H, W) and counts c (n,) from 1."""
    descending = relevance.flatten(1).sort(dim=1, descending=True).values
    return descending.gather(1, counts[:, None] - 1)[:, :, None]


def fraction_of(relevance: Tensor, fraction: float) -> Tensor:
    """Return round(fraction · number of pixels that count), at least 1, of maps (n, H, W), (n,) integers."""
    return (precise(pixels(relevance.isfinite())) * fraction).round().long().clamp(min=1)


def _reasons(batch: Explained, masks: Tensor) -> list[str]:
    empty = ~masks.flatten(1).any(dim=1)
    return reasons_of([(_lacking(batch), NO_MASK), (empty, EMPTY), (not_finite(batch.maps), NOT_FINITE)])


def _lacking(batch: Explained) -> Tensor:
    """Return which images have no mask of the class explained, (N,) booleans."""
    if batch.masks is None or batch.has_mask is None:
        return torch.full((len(batch.maps),), batch.masks is None, device=batch.maps.device)
    return ~batch.has_mask


def _require_masks(batch: Explained) -> None:
    for name, given in (("masks", batch.masks), ("ignore", batch.ignore)):
        if given is not None and (given.shape != batch.maps.shape or given.dtype != torch.bool):
            raise ValueError(
                f"{name} {tuple(given.shape)} of {given.dtype}, expected booleans of the maps' shape "
                f"{tuple(batch.maps.shape)}"
            )

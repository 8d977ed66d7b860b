"""Pixel paths: an image whose pixels are replaced one group after the other, in the order of their relevance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, Explained, Need, Path
from heatmark.metrics.engine.counts import checked_steps, find_counting
from heatmark.metrics.engine.fills import DRAWN, NEEDS, fill_images, find_fill
from heatmark.metrics.engine.known_scores import FILLED, INTACT, Place, place_of
from heatmark.metrics.engine.perturbation import Filled, perturbation_scores, relevance_ranks, require_evaluable
from heatmark.metrics.engine.target_scores import find_score
from heatmark.metrics.engine.ties import STABLE, find_tie_order
from heatmark.metrics.engine.units import SINGLE, checked_unit, stacked, unit_ranks

Order = Literal["morf", "lerf"]
AXES: dict[str, str] = {"morf": "fraction removed", "lerf": "fraction inserted"}
"""What x is, by the order of a path."""


COUNTED = ("relevant", "replaced")
"""What the fractions of a path count: its most relevant units, or those that it has replaced."""


@dataclass(frozen=True)
class PixelPath(Path):
    """The target's score while an image's pixels are replaced by those of a fill.

    At a point with count c, the image is x = fill where rank < c, else the image itself, for all channels of a pixel at
    once; y = score(target | x). MoRF replaces the most relevant pixels first, and its x is the fraction of pixels
    removed. LeRF replaces the least relevant pixels first: its ranks are MoRF's from the end, its counts those that
    MoRF leaves.

    LeRF's curve is given read backwards, from the fill to the image: its x is the fraction of the most relevant pixels
    that are inserted into the fill. Its ends are then exact, and 1 − x is the fraction removed.

    The pixels of a unit are replaced together, in the order of the units' mean relevance; x is the fraction of pixels.
    Where the channels of pixels are the units, each is replaced alone and has its pixel's relevance, and x is their
    fraction.
    Options that say the same are equal: those that a path does not read are those of the default.

    Args:
        order: ``morf`` or ``lerf``.
        steps: number of steps K of the curve, or the fractions of its points, or units per step, as ``counting`` reads
            it; None means the number of image rows.
        fill: name of what replaces the image's pixels; see :mod:`heatmark.metrics.engine.fills`.
        ties: order of pixels of equal value under MoRF; see :mod:`heatmark.metrics.engine.ties`. Under LeRF it is
            reversed, like the order as a whole.
        seed: seed of a drawn order of ties; 0 if the order is not drawn.
        score: what y is; see :mod:`heatmark.metrics.engine.target_scores`.
        unit: ``pixel``, ``channel_pixel``, ``patch`` or ``slic``; see :mod:`heatmark.metrics.engine.units`.
        unit_size: pixels of a patch's side, or about how many SLIC segments an image has; 1 for pixels and channels.
        counting: how steps become counts of units; see :mod:`heatmark.metrics.engine.counts`.
        counted: whether these count the ``relevant`` units or, under LeRF, the ``replaced`` ones.
        fill_seed: seed of a drawn fill; 0 if the fill is not drawn.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), or ``steps`` or ``unit_size`` is out of range.
    """

    order: Order = "morf"
    steps: int | Sequence[float] | None = None
    fill: str = "zero"
    ties: str = "drawn"
    seed: int = 0
    score: str = "probability"
    unit: str = "pixel"
    unit_size: int = 1
    counting: str = "nearest"
    counted: str = "relevant"
    fill_seed: int = 0

    def __post_init__(self) -> None:
        look_up("order", self.order, AXES)
        find_fill(self.fill)
        find_score(self.score)
        checked_unit(self.unit, self.unit_size, self.counting)
        look_up("way of counting", self.counted, dict.fromkeys(COUNTED))
        ties = STABLE[self.order] if self.ties == "stable" else self.ties
        find_tie_order(ties)
        settled = {"ties": ties, "steps": checked_steps(self.steps, self.counting)}
        if ties != "drawn":
            settled["seed"] = 0
        if self.fill not in DRAWN:
            settled["fill_seed"] = 0
        if self.order == "morf":
            settled["counted"] = "relevant"
        for option, value in settled.items():
            object.__setattr__(self, option, value)

    @property
    def needs(self) -> frozenset[Need]:
        """The counterfactuals, where these are the fill."""
        return NEEDS.get(self.fill, frozenset())

    def curve(self, batch: Explained) -> Curve:
        """Return the curve of every image; NaN for an image whose map contains NaN, or that lacks the fill.

        Raises:
            ValueError: if an image has fewer units than steps, the shapes do not match, the fill needs a normalisation
                that the batch lacks, or the model is in training mode.
        """
        require_evaluable(batch)
        ranks, ends = self._ranks(batch)
        pixels = ranks.shape[1]  # or channels of pixels
        counts = torch.stack([each[self._counts(len(each) - 1, batch.images.shape[-2])] for each in ends])
        fill = Filled(fill_images(batch, self.fill, self.fill_seed), self._fill)
        if self.order == "morf":
            y = perturbation_scores(batch, fill, ranks, counts, self.score)
        else:
            y = perturbation_scores(batch, fill, pixels - 1 - ranks, pixels - counts.flip(1), self.score).flip(1)
        # one row of counts, for single pixels or channels, is all images'
        x = (counts.double() / pixels).to(y.dtype).to(y.device)
        return Curve(x[0] if self.unit in SINGLE else x, y, AXES[self.order])

    def _ranks(self, batch: Explained) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the rank of every pixel, (N, H·W), and how many pixels the u most relevant units have, per image.

        Of channels of pixels it is the rank of each of them, (N, C·H·W), and their number.
        """
        images, maps = batch.images, batch.maps
        if self.unit == "channel_pixel":
            images, maps = stacked(images, maps)
        ties = find_tie_order(self.ties)(images, self.seed)
        if self.unit in SINGLE:
            return relevance_ranks(maps, ties), [torch.arange(ties.shape[1] + 1)]
        return unit_ranks(images, maps, ties, self.unit, self.unit_size)

    def _counts(self, units: int, rows: int) -> list[int]:
        """Return how many of the most relevant units are removed, or inserted, at each point."""
        counts = find_counting(self.counting)(units, checked_steps(self.steps, self.counting) or rows)
        if len(counts) < 2:
            raise ValueError(
                f"steps={self.steps!r} counted by {self.counting!r} gives {len(counts)} points of {units} units, "
                "expected at least two"
            )
        return counts if self.counted == "relevant" else [units - count for count in reversed(counts)]

    @property
    def _fill(self) -> tuple[str, int]:
        """What replaces pixels; paths for which it is equal have the same images with all pixels replaced."""
        return self.fill, self.fill_seed

    def common(self, image_size: tuple[int, int]) -> Sequence[Place]:
        """Return the ends that the curve has: the intact image, and the one with all pixels replaced."""
        units, counts = self._units_and_counts(image_size)
        removed = counts if self.order == "morf" else [units - count for count in counts]
        ends = [name for name, count in ((INTACT, 0), (FILLED, units)) if count in removed]
        return [place_of("", self.score, self._fill, end)[1:] for end in ends]

    def passes(self, image_size: tuple[int, int]) -> float:
        """Return the number of points of an image's curve, each a forward pass; channels are counted as three."""
        return float(len(self._units_and_counts(image_size)[1]))

    def _units_and_counts(self, image_size: tuple[int, int]) -> tuple[int, list[int]]:
        """Return how many units an image has, and how many of them are removed, or inserted, at each point.

        SLIC segments are counted as if each were a pixel: they give as many points whatever their number.
        """
        height, width = image_size
        side = 1 if self.unit == "slic" else self.unit_size
        units = -(-height // side) * -(-width // side) * (3 if self.unit == "channel_pixel" else 1)
        return units, self._counts(units, height)

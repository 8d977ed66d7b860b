"""The monotonicity correlation."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.alone import intact_scores, scores_without, sums
from heatmark.metrics.engine.fills import DRAWN, fill_images, find_fill
from heatmark.metrics.engine.perturbation import Filled, pixel_counts, relevance_ranks, require_evaluable
from heatmark.metrics.engine.subsets import Draws, correlated
from heatmark.metrics.engine.ties import find_tie_order


@dataclass(frozen=True)
class MonotonicityCorrelation(Metric):
    """Monotonicity correlation: that of groups' absolute relevance and what their values do; higher is better.

    ρ = Spearman over groups G of (mean_{i ∈ G} |a_i|, E[(p(target | x with G drawn anew) − p(target | x))²]),

    in [−1, 1].

    The pixels in the order of |a| are cut into groups, and each group is replaced alone. A factor per image, such as
    the paper's 1 / p(target | x)², moves no rank. An image costs one forward pass per group and sample, and one for
    itself. It is undefined where all groups have the same relevance, or all of them do the same. A map and its negative
    have the same value.

    Args:
        groups: number of groups, whose sizes differ by a pixel at most.
        samples: number of draws of which the mean is taken, each of the whole fill; 1 if the fill is not drawn.
        fill: what replaces a group: ``uniform`` or ``normal``, drawn, or another of
            :mod:`heatmark.metrics.engine.fills`.
        ties: order of pixels of equal absolute relevance; see :mod:`heatmark.metrics.engine.ties`.

    Raises:
        ValueError: if a name is unknown, or a number is out of range. When called: if an image has fewer pixels than
            groups, or the fill needs a normalisation that the batch lacks.

    Nguyen & Martínez, "On quantitative aspects of model interpretability", 2020, arXiv 2007.07584, section 3.1.
    Deviation: groups of pixels in place of single features, and a draw per pixel and channel. Quantus 0.6 draws one
    number in [0, 1] for all features, whatever the normalisation; with a fixed fill and groups of one size its values
    are these.

    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0] = torch.arange(16.0).view(4, 4)  # redder from the top to the bottom
    >>> right, wrong = image[:, 0], 16 - image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> metric = MonotonicityCorrelation(groups=4, fill="zero")
    >>> torch.cat([metric(batch).values for batch in batches]).round(decimals=6)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True

    groups: int = 28
    samples: int = 4
    fill: str = "uniform"
    ties: str = "drawn"

    def __post_init__(self) -> None:
        find_fill(self.fill)
        find_tie_order(self.ties)
        for option, least in (("groups", 2), ("samples", 1)):
            value = getattr(self, option)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{option}={value!r}, expected a whole number from {least}")
        if self.fill not in DRAWN:
            object.__setattr__(self, "samples", 1)

    def __call__(self, batch: Explained) -> Scores:
        """Return the rank correlation per image; NaN, with the reason, where it is undefined."""
        require_evaluable(batch)
        groups, intact = self._groups(batch), intact_scores(batch, "probability")
        changes = torch.zeros(len(groups), self.groups, dtype=intact.dtype, device=intact.device)
        for seed in range(batch.seed * self.samples, (batch.seed + 1) * self.samples):
            fill = Filled(fill_images(batch, self.fill, seed), None)  # groups are the map's own
            changes += (scores_without(batch, fill, groups, self.groups, "probability") - intact).square()
        sizes = sums(groups, torch.ones_like(batch.maps), self.groups)
        relevance = sums(groups, batch.maps.abs(), self.groups) / sizes  # means, which a constant map has equal
        found = Draws(relevance, (changes / self.samples).cpu())
        return Scores(*correlated(found, ranks=True))

    def _groups(self, batch: Explained) -> Tensor:
        """Return the group of every pixel, (N, H·W), 0 for the least relevant."""
        ties = find_tie_order(self.ties)(batch.images, batch.seed)
        ranks = relevance_ranks(batch.maps.abs(), ties)
        pixels = ranks.shape[1]
        ends = torch.tensor(pixel_counts(pixels, self.groups)[1:], device=ranks.device)
        return torch.bucketize(pixels - 1 - ranks, ends, right=True)

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of groups times samples, and one for the image itself."""
        return self.groups * self.samples + 1.0

"""The sensitivity-n metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmark.common.baselines import find_baseline
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.subsets import Draws, correlated, draws


@dataclass(frozen=True)
class SensitivityN(Metric):
    """Sensitivity-n: the correlation of relevance and drop over subsets of n cells, meant over n; higher is better.

    value = mean over n of Pearson over subsets S of n cells of (Σ_{i ∈ S} a_i, p(target | x) − p(target | x with S
    replaced)),

    in [−1, 1]. A method whose sums equal the drops for every subset has 1. An n at which the correlation is undefined
    makes the whole undefined.

    Args:
        cells: number of cells per side of the image.
        sizes: shares of the cells that a subset has, each in (0, 1).
        samples: number of subsets per size, at least 2.
        fill: what replaces a subset; see :mod:`heatmark.common.baselines`.

    Raises:
        ValueError: for an option out of its range.

    Ancona et al., "Towards better understanding of gradient-based attribution methods for Deep Neural Networks", ICLR
    2018, section 3.3. Deviation: cells in place of pixels, and the mean over a few n in place of a curve over all.
    Quantus removes the most relevant pixels first, and correlates across the batch.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0] = torch.arange(16.0).view(4, 4)  # redder from the top to the bottom
    >>> right, wrong = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> torch.cat([SensitivityN(cells=4, samples=20)(batch).values for batch in batches]).round(decimals=1)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True
    once_per_image: ClassVar[bool] = True

    cells: int = 9
    sizes: Sequence[float] = (0.1, 0.3, 0.5, 0.7)
    samples: int = 50
    fill: str = "zero"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        find_baseline(self.fill)
        if not isinstance(self.samples, int) or self.samples < 2:
            raise ValueError(f"samples={self.samples!r}, expected a whole number of at least 2")
        if not self.counts or not all(1 <= count < self.cells**2 for count in self.counts):
            raise ValueError(
                f"sizes={list(self.sizes)} of {self.cells**2} cells are {self.counts}, expected some of them, not all"
            )

    @property
    def counts(self) -> list[int]:
        """The numbers of cells of the subsets."""
        return [round(share * self.cells**2) for share in self.sizes]

    def __call__(self, batch: Explained) -> Scores:
        """Return the mean correlation per image; NaN, with the reason, where one of them is undefined."""
        found = draws(batch, self.cells, [count for count in self.counts for _ in range(self.samples)], self.fill)
        parts = zip(*(torch.split(each, self.samples, dim=1) for each in (found.relevance, found.drop)), strict=True)
        values, reasons = zip(*(correlated(Draws(*part), ranks=False) for part in parts), strict=True)
        first = [next(filter(None, said), "") for said in zip(*reasons, strict=True)]
        return Scores(torch.stack(values).mean(dim=0), first)

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of subsets, and one for the image itself."""
        return len(self.sizes) * self.samples + 1.0

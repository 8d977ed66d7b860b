"""Metrics that correlate relevance and drop over random subsets of one size."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.common.baselines import find_baseline
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.subsets import correlated, draws


@dataclass(frozen=True)
class SubsetCorrelation(Metric):
    """The correlation of relevance and drop over random subsets of an image's cells; higher is better.

    Args:
        cells: number of cells per side of the image.
        share: of the cells that a subset has, in (0, 1).
        samples: number of subsets, at least 2.
        fill: what replaces a subset; see :mod:`heatmark.common.baselines`.

    Raises:
        ValueError: for an option out of its range.
    """

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True
    once_per_image: ClassVar[bool] = True
    ranks: ClassVar[bool]
    """Whether ranks are correlated (Spearman), or the numbers (Pearson)."""

    cells: int = 9
    share: float = 0.2
    samples: int = 100
    fill: str = "zero"

    def __post_init__(self) -> None:
        find_baseline(self.fill)
        if not isinstance(self.samples, int) or self.samples < 2:
            raise ValueError(f"samples={self.samples!r}, expected a whole number of at least 2")
        if not 1 <= self.size < self.cells**2:
            raise ValueError(
                f"share={self.share!r} of {self.cells**2} cells is {self.size}, expected some of them and not all"
            )

    @property
    def size(self) -> int:
        """The number of cells of a subset."""
        return round(self.share * self.cells**2)

    def __call__(self, batch: Explained) -> Scores:
        """Return the correlation per image; NaN, with the reason, where it is undefined."""
        return Scores(*correlated(draws(batch, self.cells, [self.size] * self.samples, self.fill), self.ranks))

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of subsets, and one for the image itself."""
        return self.samples + 1.0

"""The faithfulness correlation."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.baselines import find_baseline
from heatmark.metrics.engine.subsets import correlated, draws


@dataclass(frozen=True)
class FaithfulnessCorrelation(Metric):
    """Faithfulness correlation: that of relevance and drop over random subsets of an image's cells; higher is better.

    ρ = Pearson over subsets S of (Σ_{i ∈ S} a_i, p(target | x) − p(target | x with S replaced)), in [−1, 1],

    where all subsets have the same number of cells. It is undefined where the map gives all subsets the same relevance,
    or replacing any of them changes the probability alike.

    Args:
        cells: number of cells per side of the image.
        share: of the cells that a subset has, in (0, 1).
        samples: number of subsets, at least 2.
        fill: what replaces a subset; see :mod:`heatmark.metrics.engine.baselines`.

    Raises:
        ValueError: for an option out of its range.

    Bhatt et al., "Evaluating and Aggregating Feature-based Model Explanations", IJCAI 2020, definition 3.3. Deviation:
    subsets of cells in place of single features, because a hundred pixels of 224 × 224 change no prediction.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0] = torch.arange(16.0).view(4, 4)  # redder from the top to the bottom
    >>> right, wrong = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> torch.cat([FaithfulnessCorrelation(cells=4, samples=20)(batch).values for batch in batches]).round(decimals=1)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True

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
        return Scores(*correlated(draws(batch, self.cells, [self.size] * self.samples, self.fill), ranks=False))

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of subsets, and one for the image itself."""
        return self.samples + 1.0

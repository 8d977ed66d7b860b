"""The single-deletion metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from heatmark.common.baselines import find_baseline
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.alone import cells_of, grid_cells, intact_scores, scores_without, sums
from heatmark.metrics.engine.fills import fill_images
from heatmark.metrics.engine.perturbation import Filled, require_evaluable
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.subsets import Draws, correlated
from heatmark.metrics.engine.target_scores import find_score
from heatmark.metrics.protocols import SINGLE_DELETION_PROTOCOLS


@dataclass(frozen=True)
class SingleDeletion(Metric):
    """Single deletion: the rank correlation of each cell's relevance and the drop without it; higher is better.

    ρ = Spearman over the cells S of (Σ_{i ∈ S} a_i, z_target(x) − z_target(x with S replaced)), in [−1, 1],

    with z the logit. An image costs one forward pass per cell, and one for itself. It is undefined where the map gives
    all cells the same relevance, or replacing any of them changes the logit alike.

    Args:
        cells: number of cells per side of the image.
        fill: what replaces a cell; see :mod:`heatmark.common.baselines`.
        score: what drops; see :mod:`heatmark.metrics.engine.target_scores`.
        preset: name of the protocol, which gives the values of options that are None.

    Raises:
        ValueError: if a name is unknown, or ``cells`` is out of range. When called: if an image has fewer pixels per
            side than cells.

    Hesse et al., "Benchmarking the Attribution Quality of Vision Models", NeurIPS 2024, section 3. IDSDS is this on a
    model that was trained on images with cells replaced, too, and for the true class (``target=label``): both are the
    run's. Deviation: an undefined correlation is NaN.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0] = torch.arange(16.0).view(4, 4)  # redder from the top to the bottom
    >>> right, wrong = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> torch.cat([SingleDeletion(cells=2)(batch).values for batch in batches]).round(decimals=6)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = True
    once_per_image: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in SINGLE_DELETION_PROTOCOLS.items()
    }

    cells: int | None = None
    fill: str | None = None
    score: str | None = None
    preset: str = "idsds"

    def __post_init__(self) -> None:
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        find_baseline(str(self.fill))
        find_score(str(self.score))
        if self._side < 2:
            raise ValueError(f"cells={self.cells!r} per side, expected a whole number from 2")

    @property
    def _side(self) -> int:
        return self.cells if isinstance(self.cells, int) else 0

    def __call__(self, batch: Explained) -> Scores:
        """Return the rank correlation per image; NaN, with the reason, where it is undefined."""
        require_evaluable(batch)
        cells, count, score = grid_cells(batch.images, self._side), self._side**2, str(self.score)
        fill = Filled(fill_images(batch, str(self.fill), 0), cells_of(str(self.fill), count))
        without = scores_without(batch, fill, cells, count, score)
        found = Draws(sums(cells, batch.maps, count), (intact_scores(batch, score) - without).cpu())
        return Scores(*correlated(found, ranks=True))

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of cells, and one for the image itself."""
        return self._side**2 + 1.0

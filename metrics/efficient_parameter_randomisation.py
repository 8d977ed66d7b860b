"""The efficient parameter randomisation test."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.per_image import NOT_FINITE, not_finite, reasons_of
from heatmark.metrics.engine.randomised import drawn_anew, layers_of

FLAT = "the map of the intact model has all values in one bin, so that its entropy is 0"
NOT_FINITE_RANDOMISED = "the map of the randomised model contains NaN or infinite values"


@dataclass(frozen=True)
class EfficientParameterRandomisation(Metric):
    """The relative rise of the map's entropy when all layers are drawn anew (eMPRT); higher is better.

    value = (H(map of the randomised model) − H(map)) / H(map), in [−1, ∞),

    H the entropy of a histogram of the map's values, in bins of equal width from its least to its largest. A method
    whose map does not depend on what the model has learned has 0. It is undefined for a map whose values all lie in one
    bin, such as a constant one, and where a map is not finite. It costs one map.

    Args:
        bins: number of bins, at least 2.

    Raises:
        ValueError: for fewer than 2 bins. When called: if no layer of the model can be drawn anew.

    Hedström et al., "Sanity Checks Revisited: An Exploration to Repair the Model Parameter Randomisation Test", XAI in
    Action (NeurIPS workshop) 2023, section 3.2. The default of bins is that of Quantus 0.6, by the paper's authors
    (quantus/metrics/randomisation/efficient_mprt.py), which has an infinite value for a constant map, and draws all
    layers from one seed.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    >>> image = torch.tensor([0.0, 0, 0, 1]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    >>> spread = torch.tensor([[[0.0, 1], [2, 3]]])  # 4 values in 4 bins: ln 4, where the map has .562
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, lambda *_: spread)
    >>> EfficientParameterRandomisation()(batch).values.round(decimals=3)
    tensor([1.4650], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True

    bins: int = 100

    def __post_init__(self) -> None:
        if not isinstance(self.bins, int) or self.bins < 2:
            raise ValueError(f"bins={self.bins!r}, expected a whole number of at least 2")

    def __call__(self, batch: Explained) -> Scores:
        """Return the relative rise per image; NaN, with the reason, where it is undefined."""
        model = drawn_anew(batch.model, layers_of(batch.model), batch.seed)
        maps = batch.explain(model, batch.images, batch.targets)
        before, after = (self._entropies(each) for each in (batch.maps, maps))
        faults = [(not_finite(batch.maps), NOT_FINITE), (not_finite(maps), NOT_FINITE_RANDOMISED)]
        reasons = reasons_of([(holds.cpu(), why) for holds, why in faults] + [(before == 0, FLAT)])
        return Scores(torch.where(before == 0, torch.nan, (after - before) / before), reasons)

    def _entropies(self, maps: Tensor) -> Tensor:
        return torch.tensor([_entropy(each.cpu().double(), self.bins) for each in maps], dtype=torch.float64)

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 0: nothing but a map is asked for."""
        return 0.0

    def maps(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 1: the map of the randomised model."""
        return 1.0


def _entropy(values: Tensor, bins: int) -> float:
    """Return the entropy of a histogram of one map (H, W), in nats; NaN for one that is not finite."""
    if not values.isfinite().all():
        return float("nan")
    counts, _ = np.histogram(values.numpy(), bins=bins)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum()) + 0.0

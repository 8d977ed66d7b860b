"""The share of a map's positive relevance inside the mask."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from heatmark.metrics.engine.per_image import sums
from heatmark.metrics.engine.placement import Placement


@dataclass(frozen=True)
class EnergyInside(Placement):
    """Energy inside (relevance mass accuracy): the share of positive relevance that lies inside; higher is better.

    energy = Σ_{i ∈ mask} max(a_i, 0) / Σ_i max(a_i, 0), in [0, 1].

    A map without positive relevance has no value. A constant positive map has the mask's share of the pixels.

    Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR-W 2020
    (energy-based pointing game, with a bounding box in the mask's place); Arras et al., "CLEVR-XAI: A Benchmark
    Dataset for the Ground Truth Evaluation of Neural Network Explanations", Information Fusion 81, 2022 (relevance mass
    accuracy). Deviation: Quantus 0.6's RelevanceMassAccuracy sums signed relevance, so that it may lie outside [0, 1];
    the two are equal on maps without negative values.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> mask = torch.tensor([[[True, True], [False, False]]])
    >>> maps = torch.tensor([[[2.0, 1], [1, -5]]])  # 3 of 4 inside; −5 counts for nothing
    >>> EnergyInside()(Explained(nn.Identity(), image, target, maps, mask, lambda *_: maps)).values
    tensor([0.7500], dtype=torch.float64)
    """

    undefined: ClassVar[str] = "the map has no positive relevance"

    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return the share of positive relevance inside, (n,); NaN where there is none."""
        positive = relevance.clamp(min=0).flatten(1)
        return sums(positive * masks.flatten(1)) / sums(positive)

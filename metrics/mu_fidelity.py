"""The µFidelity metric."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.engine.subset_correlation import SubsetCorrelation


@dataclass(frozen=True)
class MuFidelity(SubsetCorrelation):
    """The rank correlation of relevance and drop over random subsets of an image's cells, µFidelity; higher is better.

    µF = Spearman over subsets S of (Σ_{i ∈ S} a_i, p(target | x) − p(target | x with S replaced)), in [−1, 1],

    where all subsets have the same number of cells. It is undefined where the map gives all subsets the same relevance,
    or replacing any of them changes the probability alike.

    The options and the errors are those of
    :class:`~heatmark.metrics.engine.subset_correlation.SubsetCorrelation`.

    Fel et al., "Look at the Variance! Efficient Black-box Explanations with Sobol-based Sensitivity Analysis",
    NeurIPS 2021, section 4.1, after Bhatt et al. 2020. The defaults are those of xplique (grid 9, subsets of .2, 200
    samples, Spearman). Deviation: an undefined correlation is NaN, where xplique counts 0.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0] = torch.arange(16.0).view(4, 4)  # redder from the top to the bottom
    >>> right, wrong = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> torch.cat([MuFidelity(cells=4, samples=20)(batch).values for batch in batches]).round(decimals=6)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    ranks: ClassVar[bool] = True

    samples: int = 200

"""The faithfulness correlation."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.engine.subset_correlation import SubsetCorrelation


@dataclass(frozen=True)
class FaithfulnessCorrelation(SubsetCorrelation):
    """Faithfulness correlation: that of relevance and drop over random subsets of an image's cells; higher is better.

    ρ = Pearson over subsets S of (Σ_{i ∈ S} a_i, p(target | x) − p(target | x with S replaced)), in [−1, 1],

    where all subsets have the same number of cells. It is undefined where the map gives all subsets the same relevance,
    or replacing any of them changes the probability alike.

    The options and the errors are those of
    :class:`~heatmark.metrics.engine.subset_correlation.SubsetCorrelation`.

    Bhatt et al., "Evaluating and Aggregating Feature-based Model Explanations", IJCAI 2020, definition 3.3. Deviation:
    subsets of cells in place of single features, because a hundred pixels of 224 × 224 change no prediction.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0] = torch.arange(16.0).view(4, 4)  # redder from the top to the bottom
    >>> right, wrong = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> torch.cat([FaithfulnessCorrelation(cells=4, samples=20)(batch).values for batch in batches]).round(decimals=1)
    tensor([ 1., -1.], dtype=torch.float64)
    """

    ranks: ClassVar[bool] = False

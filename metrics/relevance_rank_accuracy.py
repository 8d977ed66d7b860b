"""Relevance rank accuracy."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.metrics.engine.per_image import pixels, precise
from heatmark.metrics.engine.placement import Placement, expected_hits


@dataclass(frozen=True)
class RelevanceRankAccuracy(Placement):
    """Relevance rank accuracy: the share of the K most relevant pixels that lie inside; higher is better.

    accuracy = |{K most relevant pixels} ∩ mask| / K, K = |mask|, in [0, 1].

    Of pixels as relevant as the K-th, those are taken inside that an order drawn at random would take on average, so
    that a constant map has the mask's share of the pixels.

    Arras et al., "CLEVR-XAI: A Benchmark Dataset for the Ground Truth Evaluation of Neural Network Explanations",
    Information Fusion 81, 2022 (relevance rank accuracy). Deviation: Quantus 0.6 takes pixels of equal relevance in the
    order of an unstable sort; without equal values at the K-th place the two are equal.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> mask = torch.tensor([[[True, True], [False, False]]])
    >>> maps = torch.tensor([[[9.0, 4], [4, 1]]])  # 9 lies inside; of the two 4, one is taken, inside by half
    >>> RelevanceRankAccuracy()(Explained(nn.Identity(), image, target, maps, mask, lambda *_: maps)).values
    tensor([0.7500], dtype=torch.float64)
    """

    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return the share of the K most relevant pixels that lie inside, (n,)."""
        sizes = pixels(masks)
        return expected_hits(relevance, masks, sizes) / precise(sizes)

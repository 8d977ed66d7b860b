"""The Gini index of a map."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.metrics.engine.complexity import Complexity, magnitudes
from heatmark.metrics.engine.per_image import sums


@dataclass(frozen=True)
class GiniIndex(Complexity):
    """Gini index: how unequally absolute relevance is spread over the pixels; it ranks no methods.

    G = 1 − 2 Σ_k (c_k / Σ c) · (P − k + ½) / P = Σ_k (2k − P − 1) c_k / (P Σ c), in [0, 1 − 1/P],

    with c_1 ≤ … ≤ c_P the absolute values of the P pixels. It is 0 for a constant map and 1 − 1/P where one pixel has
    all the relevance. A map of zeros has no value.

    Hurley and Rickard, "Comparing Measures of Sparsity", IEEE Transactions on Information Theory 55(10), 2009, table I;
    Chalasani et al., "Concise Explanations of Neural Networks using Adversarial Training", ICML 2020. Deviation:
    Quantus 0.6's Sparseness, otherwise equal, adds 1e-7 to every value, so that a map of zeros has 0; both it and
    xplique call more better.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> maps = torch.tensor([[[0.0, -1], [1, 2]]])  # (−3·0 − 1·1 + 1·1 + 3·2) / (4 · 4)
    >>> GiniIndex()(Explained(nn.Identity(), image, target, maps, None, lambda *_: maps)).values
    tensor([0.3750], dtype=torch.float64)
    """

    def described(self, maps: Tensor) -> Tensor:
        """Return the Gini index, (n,); NaN for a map of zeros."""
        ascending = magnitudes(maps).sort(dim=1).values
        count = ascending.shape[1]
        weights = torch.arange(1 - count, count, 2, device=maps.device)
        return sums(weights * ascending) / (count * sums(ascending))

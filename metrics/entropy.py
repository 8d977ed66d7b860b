"""The entropy of a map."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.metrics.engine.complexity import Complexity, magnitudes
from heatmark.metrics.engine.per_image import sums


@dataclass(frozen=True)
class Entropy(Complexity):
    """Entropy: of the shares that the pixels have in absolute relevance, in nats; it ranks no methods.

    H = −Σ_i p_i ln p_i, p_i = |a_i| / Σ_j |a_j|, in [0, ln P],

    for P pixels. It is ln P for a constant map and 0 where one pixel has all the relevance. A map of zeros has no
    value.

    Bhatt et al., "Evaluating and Aggregating Feature-based Model Explanations", IJCAI 2020 (complexity). It is
    the Complexity of xplique, and of Quantus 0.6 but for the 1e-12 that is added there inside the logarithm; both call
    less better. Deviation: PnPXAI 0.1's Complexity is the entropy of a histogram of 10 bins of the values, which is
    another quantity: it is 0 for a constant map.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> maps = torch.tensor([[[0.0, -1], [1, 2]]])  # −2 · ¼ ln ¼ − ½ ln ½ = 1.5 ln 2
    >>> Entropy()(Explained(nn.Identity(), image, target, maps, None, lambda *_: maps)).values
    tensor([1.0397], dtype=torch.float64)
    """

    def described(self, maps: Tensor) -> Tensor:
        """Return the entropy, (n,); NaN for a map of zeros."""
        shares = magnitudes(maps) / sums(magnitudes(maps))[:, None]
        # Image by image: a logarithm's last bit may depend on where in a tensor its argument stands.
        return -sums(torch.stack([torch.xlogy(share, share) for share in shares]))

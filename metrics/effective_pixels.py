"""The number of effective pixels of a map."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.metrics.engine.complexity import Complexity
from heatmark.metrics.engine.per_image import pixels, precise


@dataclass(frozen=True)
class EffectivePixels(Complexity):
    """Effective pixels: the number of pixels of more than a share of the largest absolute relevance; ranks no methods.

    count = |{i : |a_i| > threshold · max_j |a_j|}|, a whole number from 0 to the number of pixels.

    It is the number of all pixels for a constant map, 0 for a map of zeros, and defined for every finite map.

    Nguyen and Martínez, "On Quantitative Aspects of Model Interpretability", arXiv 2007.07584, 2020 (effective
    complexity). ``threshold=1e-5`` is the EffectiveComplexity of Quantus 0.6 with its default options. Deviation: the
    paper counts the features that must be known for the prediction to stay within a tolerance, which takes forward
    passes; Quantus, too, counts relevances.

    Args:
        threshold: share of the largest absolute relevance above which a pixel counts.

    Raises:
        ValueError: if ``threshold`` is not in [0, 1).

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> maps = torch.tensor([[[0.0, -1], [0.1, 2]]])  # −1 and 2 lie above a tenth of 2
    >>> EffectivePixels()(Explained(nn.Identity(), image, target, maps, None, lambda *_: maps)).values
    tensor([2.], dtype=torch.float64)
    """

    threshold: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold={self.threshold!r}, expected at least 0 and less than 1")

    def described(self, maps: Tensor) -> Tensor:
        """Return the number of effective pixels, (n,)."""
        sizes = maps.abs()
        return precise(pixels(sizes > self.threshold * sizes.amax(dim=(1, 2), keepdim=True)))

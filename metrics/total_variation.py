"""The total variation of a map."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.metrics.engine.complexity import Complexity, magnitudes
from heatmark.metrics.engine.per_image import sums


@dataclass(frozen=True)
class TotalVariation(Complexity):
    """Total variation: how much a map changes from pixel to pixel, for its largest absolute value; ranks no methods.

    TV = (Σ_{r,c} |a_{r+1,c} − a_{r,c}| + Σ_{r,c} |a_{r,c+1} − a_{r,c}|) / (P · max |a|), from 0 to less than 4,

    for P pixels: the anisotropic total variation of a / max |a| per pixel. It is 0 for a constant map; a map of zeros
    has no scale and no value.

    Rudin, Osher and Fatemi, "Nonlinear Total Variation Based Noise Removal Algorithms", Physica D 60, 1992.
    Deviation: theirs is isotropic, √(∂x² + ∂y²), and of the image as it is; here differences along rows and columns are
    added, and the map is scaled, so that map × constant has the same value.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> maps = torch.tensor([[[0.0, -1], [1, 2]]])  # (1 + 3 + 1 + 1) / (4 · 2)
    >>> TotalVariation()(Explained(nn.Identity(), image, target, maps, None, lambda *_: maps)).values
    tensor([0.7500], dtype=torch.float64)
    """

    def described(self, maps: Tensor) -> Tensor:
        """Return the total variation, (n,); NaN for a map of zeros."""
        steps = torch.cat([magnitudes(maps.diff(dim=axis)) for axis in (1, 2)], dim=1)
        sizes = magnitudes(maps)
        return sums(steps) / (sizes.shape[1] * sizes.amax(dim=1))

"""Linear imputation: missing pixels that are the weighted means of their neighbours."""

import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.common.probabilities import full_precision
from heatmark.metrics.engine.multigrid import OFFSETS, solved

VERSION = 1
"""Raised by whoever changes an imputed pixel."""

DIRECT, DIAGONAL = 1 / 6, 1 / 12
"""Weights of the four direct neighbours and of the four diagonal ones."""
WEIGHTS = (DIAGONAL, DIRECT, DIAGONAL, DIRECT, 0.0, DIRECT, DIAGONAL, DIRECT, DIAGONAL)
"""The weights in the order of ``OFFSETS``."""
TOLERANCE = 3e-6
"""Largest residual of an equation, as a fraction of the largest deviation of a known pixel from the mean."""
PIXELS_AT_ONCE = 2**20
"""Pixels solved together: they bound the memory, about 20 numbers per pixel and channel."""


def imputed(image: Tensor, known: Tensor) -> Tensor:
    """Return an image with each of some sets of pixels imputed, (K, C, H, W): each the weighted mean of its neighbours.

    For every missing pixel i, Σ_j w_ij (x_i − x_j) = 0 over its neighbours j inside the image, missing ones included,
    with w = 1/6 for the four direct ones and 1/12 for the four diagonal ones. The sets of one image are solved
    together, and images never are, so that no bit depends on another image.

    Args:
        image: (C, H, W); the values of missing pixels are not read.
        known: (K, H, W) booleans, true where a pixel keeps its value; where none is, the image stays as it is.

    Raises:
        RuntimeError: if the equations are not solved to within the tolerance.

    Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022, section 4.2.
    """
    at_once = max(1, PIXELS_AT_ONCE // image[0].numel())
    return torch.cat([_imputed(full_precision(image), part) for part in torch.split(known, at_once)]).to(image.dtype)


def _imputed(image: Tensor, known: Tensor) -> Tensor:
    known = (known | ~known.flatten(1).any(dim=1)[:, None, None])[:, None]
    share = known.sum(dim=(2, 3), keepdim=True)
    mean = torch.where(known, image, 0.0).sum(dim=(2, 3), keepdim=True) / share
    given = torch.where(known, image - mean, 0.0)  # deviations from the mean, of which the solution is nearly one
    missing = (~known).to(given.dtype)
    limit = TOLERANCE * given.abs().amax(dim=(1, 2, 3), keepdim=True)
    deviation = solved(_equations(missing), missing * _neighbours(given), limit)
    return torch.where(known, image, mean + deviation)


def _equations(missing: Tensor) -> list[Tensor]:
    """Return the weights of the equations for each offset, (K, 1, H, W): the sum at the pixel, −w at its neighbours."""
    degree = _neighbours(torch.ones_like(missing[:1]))
    return [missing * (-weight if weight else degree) for weight in WEIGHTS]


def _neighbours(images: Tensor) -> Tensor:
    """Return the weighted sum of every pixel's neighbours, zero outside the image."""
    height, width = images.shape[-2:]
    around = F.pad(images, (1, 1, 1, 1))
    result = torch.zeros_like(images)
    for weight, (row, column) in zip(WEIGHTS, OFFSETS, strict=True):
        result.add_(around[..., row : row + height, column : column + width], alpha=weight)
    return result

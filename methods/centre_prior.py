"""A control: a map that is largest at the centre of the image."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.common.probabilities import full_precision
from heatmark.methods.base import Method


@dataclass(frozen=True)
class CentrePrior(Method):
    """A control: a Gaussian at the centre, where photographers tend to put the object; the same for every image.

    L(y, x) = exp(−½ [((y − H/2) / (σH))² + ((x − W/2) / (σW))²]), at the pixels' centres.

    Args:
        sigma: standard deviation σ as a fraction of the image's height and width.

    >>> import torch
    >>> from torch import nn
    >>> CentrePrior(sigma=0.25)(nn.Identity(), torch.zeros(1, 3, 3, 3), torch.tensor([0]), "input")
    tensor([[[0.1690, 0.4111, 0.1690],
             [0.4111, 1.0000, 0.4111],
             [0.1690, 0.4111, 0.1690]]])
    """

    explains = "input"

    sigma: float = 0.25

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, H, W) in (0, 1]."""
        down, across = (self._profile(side).to(full_precision(images)) for side in images.shape[-2:])
        return down.outer(across).repeat(len(images), 1, 1)

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return 0: the model is not asked."""
        return 0.0

    def _profile(self, side: int) -> Tensor:
        places = (torch.arange(side) + 0.5) / side - 0.5
        return torch.exp(-0.5 * (places / self.sigma).square())

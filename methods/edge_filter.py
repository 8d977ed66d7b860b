"""A control: the strength of the image's edges."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from heatmark.common.probabilities import full_precision
from heatmark.methods.base import Method


@dataclass(frozen=True)
class EdgeFilter(Method):
    """A control: the Sobel gradient magnitude of the grey image, independent of the model and the target.

    L = √((S_x ∗ Y)² + (S_y ∗ Y)²), with Y the mean over the channels of the normalised image, padded by repeating its
    border.

    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, compare saliency maps with an edge detector.

    >>> import torch
    >>> from torch import nn
    >>> image = torch.tensor([0.0, 0, 1, 1]).expand(1, 3, 4, 4)  # a vertical edge in the middle
    >>> EdgeFilter()(nn.Identity(), image, torch.tensor([0]), "input")[0, 0]
    tensor([0., 4., 4., 0.])
    """

    explains = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return non-negative maps (N, H, W)."""
        images = full_precision(images)
        gray = F.pad(images.detach().mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        smooth, difference = images.new_tensor([1.0, 2.0, 1.0]), images.new_tensor([-1.0, 0.0, 1.0])
        across, down = smooth.outer(difference), difference.outer(smooth)
        x, y = (F.conv2d(gray, kernel[None, None])[:, 0] for kernel in (across, down))
        return (x.square() + y.square()).sqrt()

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return 0: the model is not asked."""
        return 0.0

"""Control: where the image has edges."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from heatmark.common.probabilities import full_precision
from heatmark.methods.base import Method


@dataclass(frozen=True)
class EdgeFilter(Method):
    """Control: the Sobel magnitude of the gray image, which knows neither the model nor the target.

    L = √((S_x ∗ Y)² + (S_y ∗ Y)²), Y the mean of the channels of the normalised image, its border repeated outwards.

    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, compare saliency maps with an edge detector.
    """

    explains = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, H, W), at least 0."""
        images = full_precision(images)
        gray = F.pad(images.detach().mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        smooth, difference = images.new_tensor([1.0, 2.0, 1.0]), images.new_tensor([-1.0, 0.0, 1.0])
        across, down = smooth.outer(difference), difference.outer(smooth)
        x, y = (F.conv2d(gray, kernel[None, None])[:, 0] for kernel in (across, down))
        return (x.square() + y.square()).sqrt()

"""HiResCAM."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class HiResCAM(GradientCAM):
    """HiResCAM: multiply activations and gradients place by place.

    L = relu(Σ_c ∂y/∂A_c ⊙ A_c), with y the target's logit.

    Deviation: the paper's attention map is the sum itself; the relu makes it comparable with the other CAMs, and shows
    what speaks for the target only.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
    arXiv 2011.08891, 2020.
    """

    def relevance(self, c: Capture) -> Tensor:
        """Return relu(Σ_c G_c ⊙ A_c), (N, h, w)."""
        return (c.gradients * c.activations).sum(dim=1).relu()

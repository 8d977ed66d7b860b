"""HiResCAM."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class HiResCAM(GradientCAM):
    """HiResCAM: the elementwise product of activations and gradients, summed over the channels.

    L = relu(Σ_c ∂y/∂A_c ⊙ A_c), with A (C, h, w) the layer's activations and y the target's logit. L is in units of
    the logit.

    Deviation: the paper's attention map is the sum itself. The relu makes the map comparable with the other CAMs; it
    keeps only positive contributions to the target's logit.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
    arXiv 2011.08891, 2020.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> HiResCAM()(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0., 4.],
             [0., 0.]]])
    """

    def relevance(self, c: Capture) -> Tensor:
        """Return relu(Σ_c G_c ⊙ A_c), (N, h, w)."""
        return (c.gradients * c.activations).sum(dim=1).relu()

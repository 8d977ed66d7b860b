"""Grad-CAM."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class GradCAM(WeightedCAM):
    """Grad-CAM: the sum of a layer's channels, each weighted by its mean gradient.

    w_c = 1/Z Σ_ij ∂y/∂A_cij (eq. 1),  L = relu(Σ_c w_c A_c) (eq. 2),

    with A (C, h, w) the layer's activations, Z = h w and y the target's logit.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> GradCAM()(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0.0000, 1.0000],
             [0.5000, 0.0000]]])
    """

    def channel_weights(self, c: Capture) -> Tensor:
        """Return the mean gradient of each channel, (N, C)."""
        return c.gradients.mean(dim=(2, 3))

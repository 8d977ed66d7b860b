"""Grad-CAM++."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class GradCAMPlusPlus(WeightedCAM):
    """Grad-CAM++: the sum of a layer's channels, each weighted by a weighted sum of its positive gradients.

    With A (C, h, w) the layer's activations, y the target's logit and g = ∂y/∂A_cij,

    α_cij = g² / (2g² + (Σ_ab A_cab) g³) (eq. 19),  w_c = Σ_ij α_cij relu(g) (eq. 5),  L = relu(Σ_c w_c A_c) (eq. 6).

    Where g > 0, α relu(g) = g / (2 + g Σ_ab A_cab). This form is computed, because g³ would underflow. A place with
    g ≤ 0 contributes exactly 0. If the denominator is 0 at a place with g > 0, the image's map is NaN.

    Deviation: the paper differentiates exp(y) instead of y, which multiplies the whole map by exp(y) > 0. This factor
    is one number per image and may overflow in float32; it is left out, as in the common implementations.

    Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
    Networks", WACV 2018.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> GradCAMPlusPlus()(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0.0000, 0.5000],
             [0.2500, 0.0000]]])
    """

    def channel_weights(self, c: Capture) -> Tensor:
        """Return Σ_ij α relu(g), (N, C)."""
        g = c.gradients
        denominator = 2 + g * c.activations.sum(dim=(2, 3), keepdim=True)
        shares = torch.where(denominator == 0, torch.nan, g / denominator)
        return torch.where(g <= 0, 0.0, shares).sum(dim=(2, 3))

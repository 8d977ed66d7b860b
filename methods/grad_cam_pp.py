"""Grad-CAM++."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class GradCAMPlusPlus(WeightedCAM):
    """Grad-CAM++: weigh each channel with its positive gradients, each counted by how few places share it.

    With g = ∂y/∂A_cij and y the target's logit,

    α_cij = g² / (2g² + (Σ_ab A_cab) g³) (eq. 19),  w_c = Σ_ij α_cij relu(g) (eq. 5),  L = relu(Σ_c w_c A_c) (eq. 6).

    Only g > 0 passes the relu, and there α relu(g) = g / (2 + g Σ_ab A_cab), which is what is computed: the cubes would
    underflow. A place with g ≤ 0 contributes exactly 0; where the denominator is 0 at g > 0, the map is NaN.

    Deviation: the paper differentiates exp(y), which multiplies the gradients, hence the whole map, by exp(y) > 0,
    one number an image that overflows in float32; it is left out, as in the common implementations.

    Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
    Networks", WACV 2018.
    """

    def channel_weights(self, c: Capture) -> Tensor:
        """Return Σ_ij α relu(g), (N, C)."""
        g = c.gradients
        denominator = 2 + g * c.activations.sum(dim=(2, 3), keepdim=True)
        shares = torch.where(denominator == 0, torch.nan, g / denominator)
        return torch.where(g <= 0, 0.0, shares).sum(dim=(2, 3))

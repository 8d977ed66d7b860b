"""XGrad-CAM."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class XGradCAM(WeightedCAM):
    """XGrad-CAM: the sum of a layer's channels, each weighted by the mean of its gradients weighted by its activations.

    w_c = Σ_ij (A_cij / Σ_ab A_cab) ∂y/∂A_cij,  L = relu(Σ_c w_c A_c),

    with A (C, h, w) the layer's activations and y the target's logit.

    A channel that is zero everywhere has the weight 0. If a channel's activations sum to 0 without being zero (which
    happens only without a ReLU before), its weight is undefined and the image's map is NaN. No ε is added to the
    denominator.

    Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC 2020.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> XGradCAM()(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0.0000, 2.6667],
             [1.3333, 0.0000]]])
    """

    def channel_weights(self, c: Capture) -> Tensor:
        """Return the activation-weighted mean gradient of each channel, (N, C)."""
        A, G = c.activations, c.gradients
        total = A.sum(dim=(2, 3))
        silent = (A == 0).all(dim=3).all(dim=2)
        weights = (A * G).sum(dim=(2, 3)) / torch.where(total == 0, torch.nan, total)
        return torch.where(silent, 0.0, weights)

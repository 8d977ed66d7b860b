"""XGrad-CAM."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class XGradCAM(WeightedCAM):
    """XGrad-CAM: weigh each channel with its gradients, averaged by the activations.

    w_c = Σ_ij (A_cij / Σ_ab A_cab) ∂y/∂A_cij,  L = relu(Σ_c w_c A_c), with y the target's logit.

    A channel that is zero everywhere weighs 0. A channel whose activations cancel to a sum of 0 (possible before
    a ReLU only) has no weight: the map is NaN. No ε stands in the denominator.

    Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC 2020.
    """

    def channel_weights(self, c: Capture) -> Tensor:
        """Return the activation-weighted mean gradient of each channel, (N, C)."""
        A, G = c.activations, c.gradients
        total = A.sum(dim=(2, 3))
        silent = (A == 0).all(dim=3).all(dim=2)
        weights = (A * G).sum(dim=(2, 3)) / torch.where(total == 0, torch.nan, total)
        return torch.where(silent, 0.0, weights)

"""Grad-CAM."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class GradCAM(WeightedCAM):
    """Grad-CAM: weigh each channel with its mean gradient.

    w_c = 1/Z Σ_ij ∂y/∂A_cij (eq. 1),  L = relu(Σ_c w_c A_c) (eq. 2), with y the target's logit.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.
    """

    def channel_weights(self, c: Capture) -> Tensor:
        """Return the mean gradient of each channel, (N, C)."""
        return c.gradients.mean(dim=(2, 3))

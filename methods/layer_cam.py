"""LayerCAM."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class LayerCAM(GradientCAM):
    """LayerCAM: weigh every place of every channel with its own positive gradient.

    w_cij = relu(∂y/∂A_cij),  L = relu(Σ_c w_c ⊙ A_c), with y the target's logit.

    Deviation: the paper also scales maps of shallow layers with tanh before it fuses them; a raw map is left unscaled.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE TIP 2021.
    """

    def relevance(self, c: Capture) -> Tensor:
        """Return relu(Σ_c relu(G_c) ⊙ A_c), (N, h, w)."""
        return (c.gradients.relu() * c.activations).sum(dim=1).relu()

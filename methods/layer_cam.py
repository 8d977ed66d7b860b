"""LayerCAM."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.capture import Capture


@dataclass(frozen=True)
class LayerCAM(GradientCAM):
    """LayerCAM: the sum over the channels of each activation weighted by its own positive gradient.

    w_cij = relu(∂y/∂A_cij),  L = relu(Σ_c w_c ⊙ A_c),

    with A (C, h, w) the layer's activations and y the target's logit. L is in units of the logit.

    Deviation: the paper also scales maps of shallow layers by tanh before it fuses them; here the map stays unscaled.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE TIP 2021.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> LayerCAM()(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0., 4.],
             [0., 0.]]])
    """

    def relevance(self, c: Capture) -> Tensor:
        """Return relu(Σ_c relu(G_c) ⊙ A_c), (N, h, w)."""
        return (c.gradients.relu() * c.activations).sum(dim=1).relu()

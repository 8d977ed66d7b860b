"""Eigen-CAM."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.methods.engine.cam import CaptureCAM
from heatmark.methods.engine.capture import Capture

ROUNDING = 256
"""The factor on ε Σ|terms|, with ε the machine epsilon, below which a sum's sign may be due to rounding."""


@dataclass(frozen=True)
class EigenCAM(CaptureCAM):
    """Eigen-CAM: the projection of the activations on their first principal component; it does not use the target.

    L = O V_1 = σ_1 U_1, with O (hw × C) the activations of one image and O = U Σ Vᵀ its singular value decomposition.
    As in the paper, O is not centred (pytorch-grad-cam subtracts each channel's mean) and no relu is applied.

    A singular vector is defined up to its sign. Here the sign is such that ⟨L, m⟩ ≥ 0, with m the mean over the
    channels. After a ReLU this makes L ≥ 0 everywhere (theorem of Perron and Frobenius). Activations that are zero
    everywhere give L = 0. If ⟨L, m⟩ is 0 within rounding, as after a layer norm without bias, where m = 0, the sign is
    undefined and the map is NaN. Activations that are not finite also give NaN.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> torch.allclose(EigenCAM()(model.eval(), image, torch.tensor([0]), layer="0"), image[:, 0])  # one active channel
    True
    """

    needs_gradients = False

    def relevance(self, c: Capture) -> Tensor:
        """Return signed maps (N, h, w) in the layer's resolution and in units of its activations."""
        return first_component(c.activations)


def first_component(activations: Tensor) -> Tensor:
    """Return the projection of each image's activations (N, C, h, w) on their first principal component, (N, h, w)."""
    O = activations.flatten(2).transpose(1, 2)  # noqa: E741
    if O.dtype in (torch.float16, torch.bfloat16):
        O = O.float()  # noqa: E741 - LAPACK has no half precision
    finite = O.isfinite().all(dim=2).all(dim=1)
    U, S, _ = torch.linalg.svd(torch.where(finite[:, None, None], O, 0.0), full_matrices=False)
    L: Tensor = U[:, :, 0] * S[:, :1]
    agreement = (L * O.mean(dim=2)).sum(dim=1)
    without_signs = (L.abs() * O.abs().mean(dim=2)).sum(dim=1)
    decided = (agreement.abs() > ROUNDING * torch.finfo(O.dtype).eps * without_signs) | (S[:, 0] == 0)
    sign = torch.where(finite & decided, agreement.sign(), torch.nan)
    return (L * sign[:, None]).view(len(L), *activations.shape[2:]).to(activations.dtype)

"""Eigen-CAM."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.methods.base import Method
from heatmark.methods.engine.capture import activations_at

ROUNDING = 256
"""How many ε of the terms' absolute values a sum must exceed for its sign to be more than rounding."""


@dataclass(frozen=True)
class EigenCAM(Method):
    """Eigen-CAM: project the activations on their first principal component; the target plays no part.

    With O (hw × C) the activations of one image and O = U Σ Vᵀ,  L = O V_1 = σ_1 U_1. As in the paper, O is not
    centred (pytorch-grad-cam subtracts each channel's mean).

    A singular vector has no sign of its own. Here L points the way of the mean over the channels m = O 1/C:
    ⟨L, m⟩ ≥ 0. After a ReLU this makes L ≥ 0 everywhere (Perron and Frobenius). Silent activations give L = 0;
    where L is orthogonal to m but for rounding, as after a layer norm without shifts, where m = 0, its sign is
    undefined and the map is NaN, as it is for activations that are not finite. No relu is applied, as in the paper.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020.
    """

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return signed maps (N, h, w) in the layer's resolution."""
        return first_component(activations_at(model, images, layer))


def first_component(activations: Tensor) -> Tensor:
    """Return each image's first principal component, (N, h, w), from activations (N, C, h, w)."""
    O = activations.flatten(2).transpose(1, 2)  # noqa: E741
    if O.dtype in (torch.float16, torch.bfloat16):
        O = O.float()  # noqa: E741 - LAPACK knows no half precision
    finite = O.isfinite().all(dim=2).all(dim=1)
    U, S, _ = torch.linalg.svd(torch.where(finite[:, None, None], O, 0.0), full_matrices=False)
    L: Tensor = U[:, :, 0] * S[:, :1]
    agreement = (L * O.mean(dim=2)).sum(dim=1)
    without_signs = (L.abs() * O.abs().mean(dim=2)).sum(dim=1)
    decided = (agreement.abs() > ROUNDING * torch.finfo(O.dtype).eps * without_signs) | (S[:, 0] == 0)
    sign = torch.where(finite & decided, agreement.sign(), torch.nan)
    return (L * sign[:, None]).view(len(L), *activations.shape[2:]).to(activations.dtype)

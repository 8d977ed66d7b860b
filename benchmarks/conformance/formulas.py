"""Formulas of the reference libraries where they depart from the papers; each is compared with the library's output."""

import math

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.profiles import corners_aligned
from heatmark.common.model_state import observing
from heatmark.common.probabilities import target_logits
from heatmark.methods.engine.capture import layout_at, recorded_output
from heatmark.methods.engine.partial_forward import PartialForward, partial_forwards


def grad_cam_pp_weights(activations: Tensor, gradients: Tensor, eps: float) -> Tensor:
    """Return Σ_ij relu(g) g² / (2g² + ΣA g³ + ε), (N, C), with 0 where g = 0: pytorch-grad-cam's, with ε 1e-6.

    The powers are taken in the maps' own precision, as in the library; where g² is far below ε, the ε dominates.
    """
    squares = gradients**2
    cubes = squares * gradients
    total = activations.sum(dim=(2, 3), keepdim=True)
    shares = torch.where(gradients != 0, squares / (2 * squares + total * cubes + eps), 0.0)
    return (gradients.relu() * shares).sum(dim=(2, 3))


def rounding_of_grad_cam_pp(activations: Tensor, gradients: Tensor, eps: float) -> Tensor:
    """Return a bound on the rounding of Grad-CAM++'s weights, (N, C); it is large where 2g² + ΣA g³ + ε is nearly 0."""
    squares, cubes = gradients**2, gradients.relu() ** 3
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * squares + total * cubes + eps
    moved = cubes * _rounding(activations.flatten(2), 2)[:, :, None, None]
    moved = moved + 4 * torch.finfo(gradients.dtype).eps * (2 * squares + total.abs() * cubes + eps)
    least = (denominator.abs() - moved).clamp(min=0)
    terms = torch.where(cubes > 0, (cubes / denominator).abs() * moved / least, 0.0)
    return terms.sum(dim=(2, 3))


def undivided_weights(gradients: Tensor) -> Tensor:
    """Return Σ_ij relu(g)³, (N, C): Grad-CAM++ of torch-cam, which divides a copy of α and uses the undivided g²."""
    return (gradients**2 * gradients.relu()).sum(dim=(2, 3))


def xgrad_cam_weights(activations: Tensor, gradients: Tensor, eps: float) -> Tensor:
    """Return Σ_ij G A / (ΣA + ε), (N, C): pytorch-grad-cam with ε 1e-7, torch-cam with ε 1e-8."""
    return (gradients * activations).sum(dim=(2, 3)) / (activations.sum(dim=(2, 3)) + eps)


def rounding_of_xgrad_cam(activations: Tensor, gradients: Tensor, eps: float) -> Tensor:
    """Return a bound on the rounding of Σ G A / (ΣA + ε), (N, C); infinite where ΣA + ε is no more than rounding."""
    numerator = (gradients * activations).sum(dim=(2, 3))
    total = activations.sum(dim=(2, 3)) + eps
    moved = _rounding((gradients * activations).flatten(2), 2), _rounding(activations.flatten(2), 2)
    least = (total.abs() - moved[1]).clamp(min=0)
    return (moved[0] + (numerator / total).abs() * moved[1]) / least


def first_component_like(activations: Tensor, other: Tensor) -> Tensor:
    """Return O V_1, (N, h, w), with another map's sign; O (hw × C) the activations, V_1 their first principal axis.

    It is computed in float64, because in float32 a small gap between the singular values would change V_1. NaN where
    activations are not finite.
    """
    O = activations.cpu().double().flatten(2).transpose(1, 2)  # noqa: E741
    finite = O.isfinite().all(dim=2).all(dim=1)[:, None, None]
    axes = torch.linalg.svd(torch.where(finite, O, 0.0), full_matrices=False).Vh[:, 0]
    component = torch.where(finite, O @ axes[:, :, None], torch.nan).view(len(O), *activations.shape[2:]).to(other)
    agreement = (component * other).sum(dim=(1, 2), keepdim=True)
    return torch.where(agreement < 0, -component, component)


def first_component(activations: Tensor) -> Tensor:
    """Return O V_1, (N, h, w), with the sign of the channels' mean; NaN where that sign is rounding."""
    mean, size = activations.mean(dim=1), activations.abs().mean(dim=1)
    component = first_component_like(activations, mean)
    agreement, without_signs = (component * mean).sum(dim=(1, 2)).abs(), (component.abs() * size).sum(dim=(1, 2))
    undecided = (agreement <= 1e3 * torch.finfo(activations.dtype).eps * without_signs) & (without_signs > 0)
    return torch.where(undecided[:, None, None], torch.nan, component)


def centred(activations: Tensor) -> Tensor:
    """Return activations minus the mean of each channel, which is what pytorch-grad-cam decomposes."""
    return activations - activations.mean(dim=(2, 3), keepdim=True)


def score_cam_weights(model: nn.Module, images: Tensor, targets: Tensor, activations: Tensor) -> Tensor:
    """Return pytorch-grad-cam's Score-CAM weights, (N, C): the softmax over the channels of the masked images' logits.

    Its masks are resized with ``align_corners=True`` and min-max normalised with ε 1e-8; no baseline is subtracted.
    """
    up = torch.stack(
        [corners_aligned(maps, (images.shape[2], images.shape[3])) for maps in activations.to(images.device)]
    )
    low, high = up.amin(dim=(2, 3), keepdim=True), up.amax(dim=(2, 3), keepdim=True)
    masks = (up - low) / (high - low + 1e-8)
    with observing(model):
        scores = [
            torch.cat([model(images[n] * chunk[:, None])[:, targets[n]] for chunk in torch.split(masks[n], 16)])
            for n in range(len(images))
        ]
    weights: Tensor = torch.stack(scores).softmax(dim=1)
    return weights


def ablation_weights(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    """Return pytorch-grad-cam's Ablation-CAM weights (y − y_c) / y, (N, C), with channels set far below the minimum.

    Channels are taken 32 at a time. Each is set to (minimum − 1e7), or to 0 if the minimum is 0; the minimum is over
    all copies and all tokens, with the channels before it already lowered.
    """
    with partial_forwards(model, images, layer) as run:
        channel_dim = layout_at(model, layer, run.features, images).channel_dim
        y = target_logits(run.logits, targets)
        ablated = torch.stack([_ablated(run, n, targets[n], channel_dim) for n in range(len(images))])
    return (y[:, None] - ablated) / y[:, None]


def _ablated(run: PartialForward, n: int, target: Tensor, channel_dim: int) -> Tensor:
    logits = []
    for channels in torch.split(torch.arange(run.features.shape[channel_dim]), 32):
        copies = run.features[n].repeat(len(channels), *[1] * (run.features.ndim - 1))
        for copy, channel in zip(copies.movedim(channel_dim, 1), channels, strict=True):
            copy[channel] = 0 if (low := copies.min()) == 0 else low - 1e7
        logits.append(run.head(copies, n)[:, target])
    return torch.cat(logits)


def grad_cam_of_second_dimension(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor | None:
    """Return Grad-CAM with the second dimension taken for the channels, as Captum does; None where it is them."""
    with recorded_output(model, layer) as recording:
        logits = model(images)
        features = recording.output_for(images)
        if layout_at(model, layer, features, images).channel_dim == 1:
            return None
        (gradients,) = torch.autograd.grad(target_logits(logits, targets).sum(), features)
    places = tuple(range(2, features.ndim))
    raw: Tensor = (gradients.mean(dim=places, keepdim=True) * features.detach()).sum(dim=1)
    return raw


def rounding_of_sum(factors: Tensor, activations: Tensor) -> Tensor:
    """Return a bound on the rounding of Σ_c f_c A_c, (N, h, w)."""
    return _rounding(factors * activations, 1)


def _rounding(terms: Tensor, dim: int) -> Tensor:
    """Return √n ε Σ|t| of n terms: every addition rounds by ε of a partial sum, and n roundings are a random walk."""
    return terms.abs().sum(dim=dim) * math.sqrt(terms.shape[dim]) * torch.finfo(terms.dtype).eps

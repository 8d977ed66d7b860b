"""What peers compute where they depart from the papers, and what the papers say, plainly, for runs of the model.

Both are held against what peers and we gave.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.conformance.profiles import corners_aligned
from methods.capture import as_tensor, hooked, layer_arrangement, tapped, target_logits
from methods.pristine import observing
from methods.resume import Resumption, resumable


def grad_cam_pp_weights(activations: Tensor, gradients: Tensor, eps: float) -> Tensor:
    """Return Σ_ij relu(g) g² / (2g² + ΣA g³ + ε), (N, C), with 0 where g = 0: pytorch-grad-cam's, with its ε 1e-6.

    The powers are taken in the maps' own precision, as there: where g² is far below ε, the ε decides.
    """
    squares = gradients**2
    cubes = squares * gradients
    total = activations.sum(dim=(2, 3), keepdim=True)
    shares = torch.where(gradients != 0, squares / (2 * squares + total * cubes + eps), 0.0)
    return (gradients.relu() * shares).sum(dim=(2, 3))


def undivided_weights(gradients: Tensor) -> Tensor:
    """Return Σ_ij relu(g)³, (N, C): Grad-CAM++ of torch-cam, which divides a copy of α and goes on with g² itself."""
    return (gradients**2 * gradients.relu()).sum(dim=(2, 3))


def xgrad_cam_weights(activations: Tensor, gradients: Tensor, eps: float) -> Tensor:
    """Return Σ_ij G A / (ΣA + ε), (N, C): pytorch-grad-cam with ε 1e-7, torch-cam with ε 1e-8."""
    return (gradients * activations).sum(dim=(2, 3)) / (activations.sum(dim=(2, 3)) + eps)


def rounding_of_xgrad_cam(activations: Tensor, gradients: Tensor, eps: float) -> Tensor:
    """Return how far rounding may move Σ G A / (ΣA + ε), (N, C); infinite where ΣA + ε is no more than rounding."""
    numerator = (gradients * activations).sum(dim=(2, 3))
    total = activations.sum(dim=(2, 3)) + eps
    moved = _rounding((gradients * activations).flatten(2), 2), _rounding(activations.flatten(2), 2)
    least = (total.abs() - moved[1]).clamp(min=0)
    return (moved[0] + (numerator / total).abs() * moved[1]) / least


def first_component_like(activations: Tensor, other: Tensor) -> Tensor:
    """Return O V_1, (N, h, w), by another map's sign; O (hw × C) the activations, V_1 their first principal axis.

    In float64: in float32 a small gap between the singular values would show. NaN where activations are not finite.
    """
    O = activations.cpu().double().flatten(2).transpose(1, 2)  # noqa: E741
    finite = O.isfinite().all(dim=2).all(dim=1)[:, None, None]
    axes = torch.linalg.svd(torch.where(finite, O, 0.0), full_matrices=False).Vh[:, 0]
    component = torch.where(finite, O @ axes[:, :, None], torch.nan).view(len(O), *activations.shape[2:]).to(other)
    agreement = (component * other).sum(dim=(1, 2), keepdim=True)
    return torch.where(agreement < 0, -component, component)


def centred(activations: Tensor) -> Tensor:
    """Return activations less the mean of each channel, as pytorch-grad-cam decomposes them."""
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


def score_cam_of_the_paper(
    model: nn.Module, images: Tensor, targets: Tensor, activations: Tensor
) -> tuple[Tensor, Tensor]:
    """Return w_c = p(X ⊙ H_c) − p(0), (N, C), H_c the channel enlarged to [0, 1], and how far rounding may move it.

    p is the target's probability, which another batch size moves by 10 ε of itself. A constant channel weighs 0. One
    image and one channel at a time.
    """
    with observing(model):
        pairs = [
            _confidence_of_channels(model, image, int(target), maps)
            for image, target, maps in zip(images, targets, activations.to(images), strict=True)
        ]
    weights, slack = (torch.stack(part).to(activations) for part in zip(*pairs, strict=True))
    return weights, slack


def _confidence_of_channels(model: nn.Module, image: Tensor, target: int, maps: Tensor) -> tuple[Tensor, Tensor]:
    def p(masked: Tensor) -> Tensor:
        return torch.softmax(model(masked[None])[0], dim=0)[target]

    baseline, probabilities = p(torch.zeros_like(image)), []
    for channel in maps:
        up = F.interpolate(channel[None, None], image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
        constant = bool((channel == channel[0, 0]).all())
        probabilities.append(baseline if constant else p(image * (up - up.min()) / (up.max() - up.min())))
    found = torch.stack(probabilities)
    return found - baseline, 10 * torch.finfo(found.dtype).eps * found.maximum(baseline)


def ablation_cam_of_the_paper(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """Return w_c = (y − y_c) / y, (N, C), the whole model run again with A_c set to 0, and how far rounding moves it.

    A logit is moved by 10 ε of the largest one. NaN where y = 0.
    """
    logits, count = _logits_without(model, images, layer, None)
    y = target_logits(logits, targets)[:, None]
    y = torch.where(y == 0, torch.nan, y)
    left = [target_logits(_logits_without(model, images, layer, c)[0], targets) for c in range(count)]
    slack = 10 * torch.finfo(y.dtype).eps * logits.abs().amax(dim=1, keepdim=True) / y.abs()
    return ((y - torch.stack(left, dim=1)) / y).cpu(), slack.expand(-1, count).cpu()


def _logits_without(model: nn.Module, images: Tensor, layer: str, channel: int | None) -> tuple[Tensor, int]:
    """Return the logits with a channel's map set to 0, and how many channels there are."""
    counts: list[int] = []

    def silence(module: nn.Module, _inputs: tuple[object, ...], output: object) -> Tensor:
        features = as_tensor(output, module, layer).clone()
        maps = layer_arrangement(model, layer, features, images).maps(features)
        counts.append(maps.shape[1])
        if channel is not None:
            maps[:, channel] = 0
        return features

    with hooked(model, layer, silence):
        logits: Tensor = model(images)
    return logits, counts[0]


def ablation_weights(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    """Return pytorch-grad-cam's Ablation-CAM weights (y − y_c) / y, (N, C), a channel being set far below the minimum.

    Of 32 channels at a time, each is set to (minimum − 1e7) unless the minimum is 0, over all copies and all tokens,
    those before it already lowered.
    """
    with resumable(model, images, layer) as run:
        channel_dim = layer_arrangement(model, layer, run.features, images).channel_dim
        y = target_logits(run.logits, targets)
        ablated = torch.stack([_ablated(run, n, targets[n], channel_dim) for n in range(len(images))])
    return (y[:, None] - ablated) / y[:, None]


def _ablated(run: Resumption, n: int, target: Tensor, channel_dim: int) -> Tensor:
    logits = []
    for channels in torch.split(torch.arange(run.features.shape[channel_dim]), 32):
        copies = run.features[n].repeat(len(channels), *[1] * (run.features.ndim - 1))
        for copy, channel in zip(copies.movedim(channel_dim, 1), channels, strict=True):
            copy[channel] = 0 if (low := copies.min()) == 0 else low - 1e7
        logits.append(run.head(copies, n)[:, target])
    return torch.cat(logits)


def grad_cam_of_second_dimension(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor | None:
    """Return Grad-CAM with the second dimension taken for the channels, Captum's of tokens; None where it is them."""
    with tapped(model, layer) as tap:
        logits = model(images)
        features = tap.output_for(images)
        if layer_arrangement(model, layer, features, images).channel_dim == 1:
            return None
        (gradients,) = torch.autograd.grad(target_logits(logits, targets).sum(), features)
    places = tuple(range(2, features.ndim))
    raw: Tensor = (gradients.mean(dim=places, keepdim=True) * features.detach()).sum(dim=1)
    return raw


def rounding_of_sum(factors: Tensor, activations: Tensor) -> Tensor:
    """Return how far rounding may move Σ_c f_c A_c, (N, h, w)."""
    return _rounding(factors * activations, 1)


def _rounding(terms: Tensor, dim: int) -> Tensor:
    """Return √n ε Σ|t| of n terms: every addition rounds by ε of a partial sum, and n of them walk at random."""
    return terms.abs().sum(dim=dim) * math.sqrt(terms.shape[dim]) * torch.finfo(terms.dtype).eps

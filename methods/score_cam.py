"""Score-CAM."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.common.batching import padded
from heatmark.common.model_state import observing
from heatmark.common.probabilities import class_probabilities, target_logits, target_probabilities
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.methods.engine.cam import weighted_sum
from heatmark.methods.engine.capture import activations_at
from heatmark.methods.engine.cost import channels_at


@dataclass(frozen=True)
class ScoreCAM(Method):
    """Score-CAM: the sum of a layer's channels, each weighted by the target's probability on the image masked with it.

    H_c = s(Up(A_c)), with s the min-max normalisation to [0, 1],
    w_c = p(X ⊙ H_c) − p(X_b) (definition 2, channel-wise increase of confidence),
    L = relu(Σ_c w_c A_c) (definition 3),

    with A (C, h, w) the layer's activations, X the normalised image, p the target's softmax probability (section 3.3
    prefers it to the logit) and X_b = X ⊙ 0 the zero image. Up is bilinear with ``align_corners=False``.

    A channel that is constant over the image cannot be min-max normalised. Its weight is 0, as in the authors' code,
    which skips it. Activations that are not finite make the image's map NaN.

    Deviations: algorithm 1 of the paper applies a softmax over the channels to the weights, unlike definition 3;
    so does pytorch-grad-cam, on logits and without X_b. The authors' code leaves X_b out and sums upsampled channels.

    Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR Workshops 2020.

    Args:
        batch_size: number of masked images that go through the model at once.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> ScoreCAM()(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0.0000, 2.5253],
             [1.2627, 0.0000]]])
    """

    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return non-negative maps (N, h, w) in the layer's resolution."""
        activations = activations_at(model, images, layer)
        with observing(model):
            weights = self._increase_of_confidence(model, images, targets, activations)
        return weighted_sum(weights, activations).relu()

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:
        """Return a forward pass per channel, and two more: of the image and of the zero image."""
        return 2.0 + channels_at(model, layer, shape)

    def _increase_of_confidence(self, model: nn.Module, images: Tensor, targets: Tensor, activations: Tensor) -> Tensor:
        baseline = target_logits(class_probabilities(model(torch.zeros_like(images))), targets)
        weights = activations.new_zeros(activations.shape[:2])
        places = varying(activations).nonzero()
        for chunk in torch.split(places, self.batch_size) if len(places) else ():
            n, c = chunk.unbind(1)
            scores = self._scores(model, images, targets, activations, padded(chunk, self.batch_size))[: len(chunk)]
            weights[n, c] = (scores - baseline[n]).to(weights.dtype)
        return weights

    @staticmethod
    def _scores(model: nn.Module, images: Tensor, targets: Tensor, activations: Tensor, places: Tensor) -> Tensor:
        """Return the target's probability on the image n masked with its channel c, for places (B, 2) of n and c."""
        n, c = places.unbind(1)
        masks = unit_masks(activations[n, c], images.shape[-2:])
        return target_probabilities(model, images[n] * masks[:, None].to(images), targets[n])


def varying(activations: Tensor) -> Tensor:
    """Return which channels are not constant over the image, (N, C); a channel with NaN counts as not constant."""
    return activations.amax(dim=(2, 3)) != activations.amin(dim=(2, 3))


def unit_masks(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return maps (B, h, w) upsampled to the size and min-max normalised to [0, 1], (B, H, W)."""
    up = upsample(maps, size)
    low, high = up.amin(dim=(1, 2), keepdim=True), up.amax(dim=(1, 2), keepdim=True)
    return (up - low) / (high - low)

"""The base classes of the gradient CAMs, several of which can share one capture."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.methods.base import Method
from heatmark.methods.engine.capture import Capture, capture


@dataclass(frozen=True)
class CaptureCAM(Method):
    @abstractmethod
    def relevance(self, c: Capture) -> Tensor: ...


def captured(methods, model, images, targets, layer):
    return capture(model, images, targets, layer)


@dataclass(frozen=True)
class GradientCAM(CaptureCAM):
    """A CAM that is a function of a layer's activations and gradients alone.

    Several such CAMs at one layer need one capture only: ``c = capture(...)``, then
    ``[m.relevance(c) for m in methods]``.
    """

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return non-negative maps (N, h, w) in the layer's resolution.

        Raises:
            ValueError: see :func:`heatmark.methods.engine.capture.capture`.
        """
        return self.relevance(capture(model, images, targets, layer))

    @abstractmethod
    def relevance(self, c: Capture) -> Tensor:
        """Return the maps (N, h, w) computed from activations and gradients."""


@dataclass(frozen=True)
class WeightedCAM(GradientCAM):
    """A CAM with one weight per channel: L = relu(Σ_c w_c A_c)."""

    def relevance(self, c: Capture) -> Tensor:
        """Return relu(Σ_c w_c A_c), (N, h, w)."""
        return weighted_sum(self.channel_weights(c), c.activations).relu()

    @abstractmethod
    def channel_weights(self, c: Capture) -> Tensor:
        """Return the channels' weights w, (N, C)."""


def weighted_sum(weights: Tensor, activations: Tensor) -> Tensor:
    """Return Σ_c w_c A_c, (N, h, w), from weights (N, C) and activations (N, C, h, w)."""
    return torch.einsum("nc,nchw->nhw", weights, activations)

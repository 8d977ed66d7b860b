"""The base classes of CAMs that are functions of a capture, several of which can share one."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeGuard

import torch
from torch import Tensor, nn

from heatmark.common.source import is_outside
from heatmark.methods.base import Method
from heatmark.methods.engine.capture import Capture, activations_at, capture

VERSION = 2
"""Raised by whoever changes a weighted sum: outdates the methods that import it."""


@dataclass(frozen=True)
class CaptureCAM(Method):
    """A method that is a function of one capture at a layer alone.

    Several such methods at one layer need one capture only: ``c = captured(methods, …)``, then
    ``[m.relevance(c) for m in methods]``, which gives the maps of the methods called one by one, to the bit.
    """

    needs_gradients: ClassVar[bool] = True
    """Whether it reads the capture's gradients or logits, and not its activations alone."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return maps (N, h, w) in the layer's resolution.

        Raises:
            ValueError: see :func:`heatmark.methods.engine.capture.capture`.
        """
        return self.relevance(captured([self], model, images, targets, layer))

    @abstractmethod
    def relevance(self, c: Capture) -> Tensor:
        """Return the maps (N, h, w) computed from a capture."""

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return a forward pass, and where gradients are needed a backward pass, which ends early at a late layer."""
        return 2.0 if self.needs_gradients else 1.0


def can_share(method: Method) -> TypeGuard[CaptureCAM]:
    """Return whether a method's maps are its :meth:`CaptureCAM.relevance` of a capture that others may read, too.

    A subclass with a call of its own may do more than that.
    """
    return isinstance(method, CaptureCAM) and type(method).__call__ is CaptureCAM.__call__


def captured(methods: Sequence[CaptureCAM], model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Capture:
    """Return a capture that suffices for all these methods: without a backward pass if none of them needs gradients.

    Args:
        methods: that will read it.
        model, images, targets, layer: as in :meth:`heatmark.methods.base.Method.__call__`.

    Returns:
        The capture; its gradients and logits are NaN where no method needs them.

    Raises:
        ValueError: see :func:`heatmark.methods.engine.capture.capture`.
    """
    if any(method.needs_gradients for method in methods):
        return capture(model, images, targets, layer)
    return _without_gradients(activations_at(model, images, layer))


def own_view(method: CaptureCAM, shared: Capture) -> Capture:
    """Return a capture that several methods share as one of them gets it alone; a user's may change it in place."""
    if not method.needs_gradients:
        shared = _without_gradients(shared.activations)
    if not is_outside(type(method)):
        return shared
    return Capture(shared.activations.clone(), shared.gradients.clone(), shared.logits.clone())


def _without_gradients(activations: Tensor) -> Capture:
    nan = activations.new_tensor(torch.nan)
    return Capture(activations, nan.expand_as(activations), nan.expand(len(activations), 1))


@dataclass(frozen=True)
class GradientCAM(CaptureCAM):
    """A CAM that is a function of a layer's activations and gradients alone; its maps are not negative."""


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
    """Return Σ_c w_c A_c, (N, h, w), from weights (N, C) and activations (N, C, h, w).

    An image's sum does not depend on its place in the batch, as that of a batched matrix product does by
    rounding, where the maps' size is such as 7 × 7 or 13 × 13.
    """
    return (weights[..., None, None] * activations).sum(dim=1)

"""The intermediate results (stages) of a CAM, for comparing two implementations stage by stage."""

from dataclasses import dataclass, fields, replace

from torch import Tensor, nn

from heatmark.methods.base import Method
from heatmark.methods.engine.cam import GradientCAM, WeightedCAM, weighted_sum
from heatmark.methods.engine.capture import Capture, capture


@dataclass(frozen=True)
class Stages:
    """The intermediate results of one implementation in the order of computation; None where it has no such stage.

    Args:
        activations: A, (N, C, h, w).
        gradients: ∂ logits[n, targets[n]] / ∂ A, (N, C, h, w).
        weights: one per channel, (N, C); None for CAMs that multiply elementwise.
        raw: the map before its ReLU, (N, h, w).
        relu: the map after its ReLU, (N, h, w).
        resized: ``relu`` at the image's size, (N, H, W), in the units of ``relu``.
        normalised: the map as it is displayed, (N, H, W), or (N, h, w) where the library does not resize.
    """

    activations: Tensor | None = None
    gradients: Tensor | None = None
    weights: Tensor | None = None
    raw: Tensor | None = None
    relu: Tensor | None = None
    resized: Tensor | None = None
    normalised: Tensor | None = None

    def cpu(self) -> "Stages":
        """Return these stages on the CPU, where stages are compared."""
        return Stages(*(None if (found := getattr(self, stage)) is None else found.cpu() for stage in STAGES))

    def without(self, *stages: str) -> "Stages":
        """Return these stages with the named ones set to None."""
        return replace(self, **dict.fromkeys(stages))


STAGES = tuple(field.name for field in fields(Stages))
"""The names of the stages, first to last."""


def stages_of(method: Method, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Stages:
    """Return a method's stages up to ``relu``; a method with its own ``__call__`` has no other stage than ``relu``.

    Raises:
        ValueError: if the layer is unknown or its output is not a map.
    """
    if isinstance(method, GradientCAM) and type(method).__call__ is GradientCAM.__call__:
        return stages_from(method, capture(model, images, targets, layer))
    return Stages(relu=method(model, images, targets, layer))


def stages_from(method: GradientCAM, c: Capture) -> Stages:
    """Return a gradient CAM's stages up to ``relu`` from one capture, which several methods may share.

    Only a CAM with channel weights has the stages ``weights`` and ``raw``.
    """
    stages = Stages(activations=c.activations, gradients=c.gradients, relu=method.relevance(c))
    if not isinstance(method, WeightedCAM):
        return stages
    weights = method.channel_weights(c)
    return replace(stages, weights=weights, raw=weighted_sum(weights, c.activations))

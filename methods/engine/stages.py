"""A map with all that it was made from, stage by stage, so that two implementations can be held against each other."""

from dataclasses import dataclass, fields, replace

from torch import Tensor, nn

from heatmark.methods.base import Method
from heatmark.methods.engine.cam import GradientCAM, WeightedCAM, weighted_sum
from heatmark.methods.engine.capture import Capture, capture


@dataclass(frozen=True)
class Stages:
    """What an implementation holds on its way to a map, in the order of the way; None where it has no such stage.

    Args:
        activations: A, (N, C, h, w).
        gradients: ∂ logits[n, targets[n]] / ∂ A, (N, C, h, w).
        weights: one a channel, (N, C); None for CAMs that multiply place by place.
        raw: the map before its ReLU, (N, h, w).
        relu: the map after it, (N, h, w).
        resized: that at the image's size, (N, H, W), in the units of ``relu``.
        normalised: what a person is shown, (N, H, W), or (N, h, w) where the library does not resize.
    """

    activations: Tensor | None = None
    gradients: Tensor | None = None
    weights: Tensor | None = None
    raw: Tensor | None = None
    relu: Tensor | None = None
    resized: Tensor | None = None
    normalised: Tensor | None = None

    def cpu(self) -> "Stages":
        """Return these stages on the CPU, where two implementations meet."""
        return Stages(*(None if (found := getattr(self, stage)) is None else found.cpu() for stage in STAGES))

    def without(self, *stages: str) -> "Stages":
        """Return these stages, some of them left out."""
        return replace(self, **dict.fromkeys(stages))


STAGES = tuple(field.name for field in fields(Stages))
"""The names of the stages, first to last."""


def stages_of(method: Method, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Stages:
    """Return a method's stages up to ``relu``; of a method that has only a ``__call__``, its map as ``relu``.

    Raises:
        ValueError: where the layer is unknown or gives no map.
    """
    if isinstance(method, GradientCAM) and type(method).__call__ is GradientCAM.__call__:
        return stages_from(method, capture(model, images, targets, layer))
    return Stages(relu=method(model, images, targets, layer))


def stages_from(method: GradientCAM, c: Capture) -> Stages:
    """Return a gradient CAM's stages up to ``relu`` from one capture, which many methods may share.

    Only a CAM with channel weights shows its map before the ReLU.
    """
    stages = Stages(activations=c.activations, gradients=c.gradients, relu=method.relevance(c))
    if not isinstance(method, WeightedCAM):
        return stages
    weights = method.channel_weights(c)
    return replace(stages, weights=weights, raw=weighted_sum(weights, c.activations))

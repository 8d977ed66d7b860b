"""Activations and gradients at a layer, for the price of one forward and a backward down to that layer only."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from heatmark.common.axes import stated
from heatmark.common.features import HOW_TO_SAY, FeatureLayout, find_layer, readings
from heatmark.common.model_state import observing, ordinary
from heatmark.common.probabilities import full_precision, target_logits
from heatmark.common.trace import trace


@dataclass(frozen=True)
class Capture:
    """What every CAM is made of.

    Args:
        activations: A, (N, C, h, w), as the layer gave them, whatever runs in place after it.
        gradients: G = ∂ logits[n, targets[n]] / ∂ A, (N, C, h, w). Of logits, never of probabilities.
        logits: (N, classes).

    Half-precision numbers are given as float32, others as they are.
    """

    activations: Tensor
    gradients: Tensor
    logits: Tensor


@dataclass
class Recording:
    """What a layer gave in the last forward pass; see :func:`recorded_output`."""

    name: str
    features: list[Tensor] = field(default_factory=list)

    def output_for(self, images: Tensor) -> Tensor:
        """Return the layer's output for these images.

        Raises:
            ValueError: where the layer ran no time or several times, so that there is no one output, or where its
                output does not hold the images in its first dimension.
        """
        if len(self.features) != 1:
            raise ValueError(
                f"layer {self.name!r} ran {len(self.features)} times in one forward pass, expected once; "
                "choose a layer that the model runs exactly once (none inside a traced or fused block runs by itself)"
            )
        (features,) = self.features
        if features.ndim == 0 or len(features) != len(images):
            raise ValueError(
                f"layer {self.name!r} gives features of shape {tuple(features.shape)} for {len(images)} images, "
                "expected the images in the first dimension"
            )
        return features


Hook = Callable[[nn.Module, tuple[object, ...], object], Tensor | None]
"""A forward hook: module, inputs, output -> what replaces the output, or None."""


@contextmanager
def hooked(model: nn.Module, layer: str, hook: Hook) -> Iterator[None]:
    """Hang a hook on a layer of a model in evaluation mode that records no graph; afterwards all is as before.

    Raises:
        ValueError: where the layer is unknown, or scripted, so that no hook can be hung on it.
    """
    module = find_layer(model, layer)
    if isinstance(module, torch.jit.RecursiveScriptModule):  # type: ignore[attr-defined]
        raise ValueError(f"layer {layer!r} is a part of a scripted module, on which no hook runs; explain the original")
    with observing(model):
        handle = module.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


@contextmanager
def recorded_output(model: nn.Module, layer: str) -> Iterator[Recording]:
    """Record a layer's output, and record the graph only from that layer on.

    Inside, the model is in evaluation mode. What runs before the layer leaves no graph. The recorded tensor is a copy,
    because a layer may hand on its own input (an in-place ReLU, a Dropout), and the rest of the model works on another,
    so that an in-place successor (VGG ``features.29``) cannot overwrite the recorded activations.
    On leaving, the hook, the modes and the flags are as before, on exceptions too.

    Raises:
        ValueError: where the layer is unknown or gives no tensor.
    """
    recording = Recording(layer)

    def cut(module: nn.Module, _inputs: tuple[object, ...], output: object) -> Tensor:
        leaf = as_tensor(output, module, layer).detach().clone().requires_grad_()
        recording.features.append(leaf)
        torch.set_grad_enabled(True)
        return leaf.clone()

    with hooked(model, layer, cut):
        yield recording


def as_tensor(output: object, module: nn.Module, layer: str) -> Tensor:
    """Return a layer's output if it is a tensor.

    Raises:
        ValueError: where it is something else, such as the tuple of an attention layer.
    """
    if not isinstance(output, Tensor):
        raise ValueError(f"layer {layer!r} ({type(module).__name__}) gives a {type(output).__name__}, not a tensor")
    return output


def activations_at(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """Return a layer's activations A, (N, C, h, w), without any graph.

    Raises:
        ValueError: for an unknown layer, or one that gives no map.
    """
    recording = Recording(layer)

    def copy(module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
        recording.features.append(as_tensor(output, module, layer).detach().clone())

    images = ordinary(images)
    with hooked(model, layer, copy):
        model(images)
        features = recording.output_for(images)
        return full_precision(layout_at(model, layer, features, images).maps(features))


def capture(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Capture:
    """Return activations, gradients and logits at a layer.

    The gradient of the batch's sum is each image's own gradient, because in evaluation mode no image sees another.

    Args:
        model: a classifier, left as it was found.
        images: (N, 3, H, W).
        targets: (N,) class indices.
        layer: dotted name of a layer that gives (N, C, h, w), (N, h, w, C), tokens (N, T, C) or (N, C, T).

    Raises:
        ValueError: for an unknown layer, one that gives no map, or one on which the target does not depend.
    """
    images, targets = ordinary(images), ordinary(targets)
    with recorded_output(model, layer) as recording:
        logits = model(images)
        leaf = recording.output_for(images)
        feature_layout = layout_at(model, layer, leaf, images)
        (gradients,) = torch.autograd.grad(target_logits(logits, targets).sum(), leaf, allow_unused=True)
    if gradients is None:
        raise ValueError(f"the target's logit does not depend on layer {layer!r}")
    activations, gradients = (full_precision(feature_layout.maps(f)) for f in (leaf.detach(), gradients))
    return Capture(activations, gradients, full_precision(logits.detach()))


def layout_at(model: nn.Module, layer: str, features: Tensor, images: Tensor) -> FeatureLayout:
    """Return how a layer's features lie on images; see :func:`layouts_at`.

    Raises:
        ValueError: where the features are no map, or nothing shows which of its readings is right.
    """
    found = layouts_at(model, {layer: features}, images)[layer]
    if isinstance(found, ValueError):
        raise found
    return found


def layouts_at(
    model: nn.Module, features: Mapping[str, Tensor], images: Tensor
) -> dict[str, FeatureLayout | ValueError]:
    """Return how every layer's features lie on images: by the model's word, by what the layer is, or by a trace.

    Only where neither ``token_layout`` nor the kind of the layer says it, a few pictures of noise go through the model
    down to that layer (:mod:`heatmark.common.trace`). Nothing is remembered, so that a changed model is read anew. Of
    features that are no map, and where nothing shows which reading is right, what there is to say about it.
    """
    size = (images.shape[-2], images.shape[-1])
    known: dict[str, FeatureLayout | ValueError] = {}
    possible: dict[str, list[FeatureLayout]] = {}
    for layer, output in features.items():
        try:
            said = stated(model, layer, output, size)
            if said is None:
                possible[layer] = readings(output, layer, size)
            else:
                known[layer] = said
        except ValueError as error:
            known[layer] = error
    traced = trace(model, possible, images) if possible else {}
    unclear = {layer: _unclear(layer, features[layer]) for layer in possible if layer not in traced}
    return {**known, **traced, **unclear}


def _unclear(layer: str, features: Tensor) -> ValueError:
    return ValueError(
        f"layer {layer!r} gives features of shape {tuple(features.shape)}, and neither its kind nor what moves in them "
        f"with the picture shows where they lie on the image; {HOW_TO_SAY}"
    )

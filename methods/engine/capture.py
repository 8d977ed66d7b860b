"""Activations and gradients at a layer, from one forward pass and a backward pass that ends at that layer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from heatmark.common.axes import stated
from heatmark.common.features import LAYOUT_HINT, FeatureLayout, find_layer, readings
from heatmark.common.model_state import observing, ordinary
from heatmark.common.probabilities import full_precision, target_logits
from heatmark.common.trace import trace

VERSION = 1
"""Raised by whoever changes the activations, gradients or logits that are captured: outdates what uses them."""


@dataclass(frozen=True)
class Capture:
    """The activations, gradients and logits from which gradient CAMs are computed.

    Args:
        activations: A, (N, C, h, w), the layer's output before any in-place operation after it.
        gradients: G = ∂ logits[n, targets[n]] / ∂ A, (N, C, h, w); of logits, never of probabilities.
        logits: (N, classes).

    Half-precision values are converted to float32; other precisions are kept.
    """

    activations: Tensor
    gradients: Tensor
    logits: Tensor


@dataclass
class Recording:
    """The output of a layer in the last forward pass; see :func:`recorded_output`."""

    name: str
    features: list[Tensor] = field(default_factory=list)

    def output_for(self, images: Tensor) -> Tensor:
        """Return the layer's output for these images.

        Raises:
            ValueError: if the layer did not run exactly once, or the first dimension of its output does not have one
                entry per image.
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
"""A forward hook: (module, inputs, output) -> the replacement of the output, or None to keep it."""


@contextmanager
def hooked(model: nn.Module, layer: str, hook: Hook) -> Iterator[None]:
    """Context with a forward hook on a layer; inside, the model is in evaluation mode and records no autograd graph.

    On leaving, the hook is removed and the model is as before.

    Raises:
        ValueError: if the layer is unknown, or scripted, so that no hook can be registered on it.
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
    """Context that records a layer's output, and an autograd graph that begins at that layer.

    Inside, the model is in evaluation mode; modules before the layer record no graph. The recorded tensor is a copy,
    because a layer may return its own input (an in-place ReLU, a Dropout). The rest of the model gets a second copy, so
    that an in-place module after the layer (VGG ``features.29``) cannot overwrite the recorded activations.
    On leaving, also by an exception, the hook is removed and all modes and flags are as before.

    Raises:
        ValueError: if the layer is unknown or does not return a tensor.
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
        ValueError: if it is anything else, such as the tuple of an attention layer.
    """
    if not isinstance(output, Tensor):
        raise ValueError(f"layer {layer!r} ({type(module).__name__}) gives a {type(output).__name__}, not a tensor")
    return output


def activations_at(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """Return a layer's activations A, (N, C, h, w), without an autograd graph; half precision becomes float32.

    Raises:
        ValueError: if the layer is unknown, does not run exactly once, or its output is not a map.
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

    The gradient of the sum over the batch is each image's own gradient, because in evaluation mode the images of a
    batch do not affect each other.

    Args:
        model: a classifier; its state is the same afterwards.
        images: (N, 3, H, W).
        targets: (N,) class indices.
        layer: dotted name of a layer whose output is (N, C, h, w), (N, h, w, C), tokens (N, T, C) or (N, C, T).

    Raises:
        ValueError: if the layer is unknown, does not run exactly once, its output is not a map, the target's logit does
            not depend on it, or a target is no class of the model.
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
    """Return the layout of a layer's features: which axes are channels, rows and columns; see :func:`layouts_at`.

    Raises:
        ValueError: if the features are not a map, or it cannot be found out which of the possible layouts is right.
    """
    found = layouts_at(model, {layer: features}, images)[layer]
    if isinstance(found, ValueError):
        raise found
    return found


def layouts_at(
    model: nn.Module, features: Mapping[str, Tensor], images: Tensor
) -> dict[str, FeatureLayout | ValueError]:
    """Return the feature layout of every layer, or a ValueError that says why it is unknown.

    The layout comes from the model's ``token_layout``, else from the type of the layer, else from a trace: a few images
    of noise that run through the model up to that layer (:mod:`heatmark.common.trace`). Nothing is cached, so that a
    changed model gets its new layout. The value is an error if the features are not a map, or if the trace does not
    show which of the possible layouts is right.
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
        f"layer {layer!r} gives features of shape {tuple(features.shape)}, and neither its type nor a trace with noise "
        f"shows which axes are channels, rows and columns; {LAYOUT_HINT}"
    )

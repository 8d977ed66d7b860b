"""Captum's attributions that belong to a layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from heatmark.common.features import find_layer
from heatmark.methods.base import Method
from heatmark.methods.engine.capture import layout_at
from heatmark.methods.external.preserved import in_chunks, preserved
from heatmark.methods.external.structure import gives_tokens, hidden_relus

TOKENS = "Captum's LayerGradCam takes the second dimension for the channels, which on this layer are tokens or rows"


@dataclass(frozen=True)
class LayerGradCAM(Method):
    """Captum's ``LayerGradCam`` with ``relu_attributions=True``, in the layer's own resolution.

    Captum hands a clone on to the next layer, so that a ReLU that runs in place there changes nothing.
    """

    implementation = "captum"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return relu'd maps (N, h, w)."""
        from captum.attr import LayerGradCam

        with preserved(model), _channels_first(model, images, layer):
            library = LayerGradCam(model, find_layer(model, layer))
            return in_chunks(
                images, targets, len(images), lambda x, t: library.attribute(x, t, relu_attributions=True)[:, 0]
            )

    def unsupported(self, model: nn.Module, layer: str) -> str | None:
        """Say so where the layer gives tokens."""
        return TOKENS if gives_tokens(model, layer) else None


@dataclass(frozen=True)
class GuidedGradCAM(Method):
    """Captum's ``GuidedGradCam``: guided backpropagation times the upsampled Grad-CAM, the largest |·| of the channels.

    It multiplies in the input's resolution, so that its maps are (N, H, W) although it belongs to a layer.
    Selvaraju et al., ICCV 2017, section 3.2; the absolute value over the channels is the field's, as for gradients.

    Args:
        interpolate_mode: how Captum enlarges the Grad-CAM; ``bilinear`` is the paper's, Captum's own default is
            ``nearest``.
    """

    interpolate_mode: str = "bilinear"

    implementation = "captum"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return non-negative maps (N, H, W)."""
        from captum.attr import GuidedGradCam

        with preserved(model), _channels_first(model, images, layer):
            library = GuidedGradCam(model, find_layer(model, layer))
            attributions = in_chunks(
                images,
                targets,
                len(images),
                lambda x, t: library.attribute(x, t, interpolate_mode=self.interpolate_mode),
            )
        return attributions.abs().amax(dim=1)

    def unsupported(self, model: nn.Module, layer: str) -> str | None:
        """Say so where the layer gives tokens, or Captum does not see the ReLUs."""
        return TOKENS if gives_tokens(model, layer) else hidden_relus(model)


@contextmanager
def _channels_first(model: nn.Module, images: Tensor, layer: str) -> Iterator[None]:
    """Refuse, in the forward pass itself, a layer of which Captum would read the channels wrongly."""

    def refuse(_module: nn.Module, _inputs: tuple[object, ...], features: Tensor) -> None:
        if features.ndim != 4 or layout_at(model, layer, features, images).channel_dim != 1:
            raise ValueError(f"layer {layer!r} gives {tuple(features.shape)}: {TOKENS}")

    handle = find_layer(model, layer).register_forward_hook(refuse)
    try:
        yield
    finally:
        handle.remove()

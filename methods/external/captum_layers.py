"""Captum's attribution methods that explain a layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from heatmark.common.features import find_layer
from heatmark.methods.base import Method
from heatmark.methods.engine.capture import layout_at
from heatmark.methods.external.preserved import in_chunks, preserved
from heatmark.methods.external.structure import gives_tokens, hidden_relus

TOKENS = "Captum's LayerGradCam takes the second dimension for the channels, but at this layer it holds tokens or rows"


@dataclass(frozen=True)
class LayerGradCAM(Method):
    """Captum's ``LayerGradCam`` with ``relu_attributions=True``, in the layer's own resolution.

    L = relu(Σ_c w_c A_c) with w_c the mean gradient of channel c, as in Selvaraju et al., ICCV 2017, eq. 1 and 2.
    Captum passes a clone to the next layer, so that an in-place ReLU there does not change the activations.

    Raises:
        ValueError: when called at a layer whose channels are not in dimension 1, such as a transformer's.
    """

    implementation = "captum"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return non-negative maps (N, h, w)."""
        from captum.attr import LayerGradCam

        with preserved(model), _channels_first(model, images, layer):
            library = LayerGradCam(model, find_layer(model, layer))
            return in_chunks(
                images, targets, len(images), lambda x, t: library.attribute(x, t, relu_attributions=True)[:, 0]
            )

    def unsupported(self, model: nn.Module, layer: str) -> str | None:
        """Return the reason if the layer gives tokens, else None."""
        return TOKENS if gives_tokens(model, layer) else None


@dataclass(frozen=True)
class GuidedGradCAM(Method):
    """Captum's ``GuidedGradCam``: max_c |g_c ⊙ Up(L)|, guided backpropagation times the upsampled Grad-CAM.

    g is the gradient of :class:`~heatmark.methods.external.captum_gradients.GuidedBackprop` and L the Grad-CAM at the
    layer. The product is in the input's resolution, so that the maps are (N, H, W) although a layer is explained.
    Selvaraju et al., ICCV 2017, section 3.2; the maximum over the channels is the usual reduction of gradients.

    Args:
        interpolate_mode: Captum's upsampling of the Grad-CAM; ``bilinear`` is the paper's, ``nearest`` is Captum's own
            default.

    Raises:
        ValueError: when called at a layer whose channels are not in dimension 1, such as a transformer's.
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
        """Return the reason if the layer gives tokens, or Captum's hooks miss some ReLU, else None."""
        return TOKENS if gives_tokens(model, layer) else hidden_relus(model)

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return the forward and the backward passes of Grad-CAM and of guided backpropagation."""
        return 4.0


@contextmanager
def _channels_first(model: nn.Module, images: Tensor, layer: str) -> Iterator[None]:
    """Context in which a forward pass raises a ValueError if the layer's channels are not in dimension 1."""

    def refuse(_module: nn.Module, _inputs: tuple[object, ...], features: Tensor) -> None:
        if features.ndim != 4 or layout_at(model, layer, features, images).channel_dim != 1:
            raise ValueError(f"layer {layer!r} gives {tuple(features.shape)}: {TOKENS}")

    handle = find_layer(model, layer).register_forward_hook(refuse)
    try:
        yield
    finally:
        handle.remove()

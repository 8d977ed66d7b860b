"""The intermediate results (stages) of Captum's ``LayerGradCam``, recorded while the library runs."""

from torch import Tensor, nn

from heatmark.common.features import find_layer
from heatmark.methods.engine.capture import layout_at
from heatmark.methods.engine.stages import Stages
from heatmark.methods.external.preserved import preserved_for, recorded


def layer_grad_cam(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Stages:
    """Return the stages of ``interpolate(attribute(…), size)``, without weights and without a normalised map.

    Captum takes tokens (N, T, C) for (N, channels, places): ``raw`` and ``relu`` are then (N, C), and nothing is
    resized.
    """
    from captum.attr import LayerAttribution, LayerGradCam
    from captum.attr._core.layer import grad_cam

    images = images.detach().clone()
    with preserved_for(model, layer), recorded(grad_cam, "compute_layer_gradients_and_eval") as captured:
        library = LayerGradCam(model, find_layer(model, layer))
        raw = library.attribute(images, targets).detach()
        relu = library.attribute(images, targets, relu_attributions=True).detach()
    gradients, features = (part[0].detach() for part in captured[0])
    feature_layout = layout_at(model, layer, features, images)
    return Stages(
        activations=feature_layout.maps(features),
        gradients=feature_layout.maps(gradients),
        raw=raw[:, 0],
        relu=relu[:, 0],
        resized=LayerAttribution.interpolate(relu, images.shape[-2:])[:, 0] if relu.ndim == 4 else None,
    ).cpu()

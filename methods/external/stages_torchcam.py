"""The intermediate results (stages) of torch-cam's CAMs, recorded while the library runs; needs extra ``torchcam``."""

import importlib.util
from dataclasses import dataclass

from torch import Tensor, nn

from heatmark.common.features import find_layer
from heatmark.methods.engine.capture import layout_at
from heatmark.methods.engine.stages import Stages
from heatmark.methods.external.preserved import preserved_for, recorded


def installed() -> bool:
    """Return whether torch-cam can be imported."""
    return importlib.util.find_spec("torchcam") is not None


@dataclass(frozen=True)
class TorchCAMStages:
    """The stages of a gradient CAM of torch-cam; the library does not resize the map of a single layer.

    Args:
        cam: name of the library's class, such as ``GradCAMpp``.
    """

    cam: str

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Stages:
        """Return the stages."""
        from torchcam import methods as library

        def reshape(features: Tensor) -> Tensor:
            return layout_at(model, layer, features, images).maps(features)

        with preserved_for(model, layer):
            extractor = getattr(library, self.cam)(model, find_layer(model, layer), reshape_transform=reshape)
            with extractor, recorded(extractor, "_get_weights") as weights:
                logits = model(images.detach().clone())
                (relu,) = extractor(targets.tolist(), logits, normalized=False, retain_graph=True)
                (normalised,) = extractor(targets.tolist(), logits)
                activations, gradients = extractor.hook_a[0].clone(), extractor.hook_g[0].clone()
        per_channel = weights[0][0].ndim == 2
        return Stages(
            activations=activations,
            gradients=gradients,
            weights=weights[0][0].detach() if per_channel else None,
            relu=relu.detach(),
            normalised=normalised.detach(),
        ).cpu()

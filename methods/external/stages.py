"""The intermediate results (stages) of pytorch-grad-cam's CAMs, recorded while the library runs."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.common.features import find_layer
from heatmark.methods.engine.stages import Stages
from heatmark.methods.external.pgc import PytorchGradCAM, to_maps, without_progress
from heatmark.methods.external.preserved import preserved_for, recorded


@dataclass(frozen=True)
class PytorchGradCAMStages:
    """The stages of a CAM of pytorch-grad-cam, recorded while its whole pipeline runs.

    ``activations`` are those that the library multiplies, which an in-place module after the layer may have
    overwritten. ``resized`` is the library's resized map, rescaled from [0, 1] to the units of ``relu``. ``normalised``
    is the library's output.

    Args:
        cam: the adapter that builds the library's object.
    """

    cam: PytorchGradCAM

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Stages:
        """Return the stages; there may be fewer targets than images, which the library accepts."""
        with preserved_for(model, layer):
            return self._run(model, images.detach().clone(), targets, layer)

    def _run(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Stages:
        from pytorch_grad_cam import ablation_cam, base_cam, score_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        cam = self.cam.build(model, find_layer(model, layer), to_maps(model, layer, images))
        with ExitStack() as stack:
            stack.callback(cam.activations_and_grads.release)
            stack.enter_context(without_progress(score_cam))
            stack.enter_context(without_progress(ablation_cam))
            maps = stack.enter_context(recorded(cam, "get_cam_image"))
            weights = stack.enter_context(recorded(cam, "get_cam_weights"))
            scaled = stack.enter_context(recorded(base_cam, "scale_cam_image"))
            output = cam(images, [ClassifierOutputTarget(int(target)) for target in targets])
            kept = cam.activations_and_grads
            return Stages(
                activations=kept.activations[0].clone(),
                gradients=kept.gradients[0].clone() if kept.gradients else None,
                weights=torch.from_numpy(weights[0]) if weights else None,
                raw=torch.from_numpy(maps[0]),
                relu=torch.from_numpy(np.maximum(maps[0], 0)),
                resized=_in_units_of(np.maximum(maps[0], 0), scaled[0]),
                normalised=torch.from_numpy(output),
            )


def _in_units_of(maps: Any, scaled: Any) -> Tensor:
    """Undo ``scale_cam_image``'s (L − min) / (1e-7 + max (L − min)) on resized maps; resizing commutes with it."""
    low = maps.min(axis=(1, 2), keepdims=True)
    scale = 1e-7 + (maps - low).max(axis=(1, 2), keepdims=True)
    return torch.from_numpy(scaled * scale + low)


def guided_backprop(model: nn.Module, images: Tensor, targets: Tensor) -> None:
    """Run pytorch-grad-cam's GuidedBackprop as its users do, with its lasting effects on the model.

    The library replaces every ReLU by a module of its own, and afterwards that module by one new ``nn.ReLU()``, which
    all places share and which does not work in place.
    """
    from pytorch_grad_cam import GuidedBackpropReLUModel

    library = GuidedBackpropReLUModel(model)
    for image, target in zip(images, targets, strict=True):
        library(image[None].detach().clone(), int(target))

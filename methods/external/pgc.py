"""Adapters to pytorch-grad-cam's CAMs, which give the library's numbers, including those of its bugs.

The map is the library's ``get_cam_image`` followed by its ``np.maximum(cam, 0)``, in the layer's own resolution. In
``compute_cam_per_layer`` this is the value right before ``scale_cam_image``, which subtracts the minimum, divides by
(1e-7 + maximum) and resizes with OpenCV. The whole pipeline runs and is timed, but the map is taken before these steps.
Eigen smoothing and test-time augmentation are off, as they are by default.

On the CPU the library keeps an activation without copying it, so that an in-place ReLU after the layer (VGG
``features.28``, DenseNet ``features``) overwrites it: the library then multiplies activations from after the ReLU with
gradients from before it. On a GPU it copies, and the same call gives other numbers.

Left out are FinerCAM (it explains a difference of classes, not a class) and SegEigenCAM (for segmentation).
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.common.features import FeatureLayout, find_layer
from heatmark.common.names import look_up
from heatmark.methods.base import Method
from heatmark.methods.engine.capture import layout_at
from heatmark.methods.engine.cost import channels_at
from heatmark.methods.external.preserved import in_chunks, preserved, recorded, seed_all
from heatmark.methods.external.structure import gives_tokens


@dataclass(frozen=True)
class PytorchGradCAM(Method):
    """A CAM of pytorch-grad-cam.

    Args:
        cam: name of the library's class, such as ``GradCAMPlusPlus``.

    Raises:
        ValueError: when called, if the library has no such class; the message names the nearest ones.
    """

    cam: str

    implementation = "pytorch_grad_cam"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return the library's non-negative maps (N, h, w), neither scaled nor resized."""
        with preserved(model):
            return in_chunks(images, targets, len(images), lambda x, t: self.raw(model, x, t, layer))

    def unsupported(self, model: nn.Module, layer: str) -> str | None:
        """Return the reason if the library's class cannot explain a layer of tokens, else None."""
        if self.cam == "ShapleyCAM" and gives_tokens(model, layer):
            return "pytorch-grad-cam's ShapleyCAM reshapes the gradients of tokens but not the activations"
        return None

    def raw(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return the maps (N, h, w) of one call of the library; call it inside ``preserved`` with copied images."""
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        images.requires_grad_(not all(p.requires_grad for p in model.parameters()))  # else a frozen model has no graph
        cam = self.build(model, find_layer(model, layer), to_maps(model, layer, images))
        try:
            with recorded(cam, "get_cam_image") as steps:
                cam(images, [ClassifierOutputTarget(int(target)) for target in targets])
        finally:
            cam.activations_and_grads.release()
        return torch.from_numpy(np.maximum(steps[0], 0)).to(images.dtype).to(images.device)

    def build(self, model: nn.Module, layer: nn.Module, reshape: Callable[[Tensor], Tensor]) -> Any:
        """Return the library's object for this layer."""
        return library_class(self.cam)(model, [layer], reshape_transform=reshape)


@dataclass(frozen=True)
class SeededCAM(PytorchGradCAM):
    """A CAM of pytorch-grad-cam that draws from NumPy's global generator: RandomCAM, and KPCA_CAM's eigensolver.

    Each image is explained alone, after seeding, so that its map does not depend on the batch.

    Args:
        cam: name of the library's class.
        seed: the draws of an image depend on this seed and the image's own pixels.
    """

    seed: int = 0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return the library's non-negative maps (N, h, w), neither scaled nor resized."""

        def explain(image: Tensor, target: Tensor) -> Tensor:
            seed_all(image, self.seed)
            return self.raw(model, image, target, layer)

        with preserved(model):
            return in_chunks(images, targets, 1, explain)


@dataclass(frozen=True)
class ScoreCAM(PytorchGradCAM):
    """pytorch-grad-cam's ScoreCAM, one image at a time, because it holds the masked copies of all images at once.

    Args:
        cam: name of the library's class.
        batch_size: number of masked images that go through the model at once.
    """

    cam: str = "ScoreCAM"
    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return the library's non-negative maps (N, h, w), neither scaled nor resized."""
        from pytorch_grad_cam import score_cam

        with preserved(model), without_progress(score_cam):
            return in_chunks(images, targets, 1, lambda x, t: self.raw(model, x, t, layer))

    def build(self, model: nn.Module, layer: nn.Module, reshape: Callable[[Tensor], Tensor]) -> Any:
        """Return the library's object for this layer."""
        cam = super().build(model, layer, reshape)
        cam.batch_size = self.batch_size
        return cam

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:
        """Return a forward pass per channel, and one of the image as it is."""
        return 1.0 + channels_at(model, layer, shape)


@dataclass(frozen=True)
class AblationCAM(PytorchGradCAM):
    """pytorch-grad-cam's AblationCAM, which replaces a channel by 0, or by (minimum − 1e7) where the minimum is not 0.

    Args:
        cam: name of the library's class.
        perturbations: the library's ``batch_size``, the number of channels ablated in one forward pass. It changes the
            numbers: the minimum is taken over the batch, in which earlier channels are already 1e7 lower.
    """

    cam: str = "AblationCAM"
    perturbations: int = 32

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return the library's non-negative maps (N, h, w), neither scaled nor resized."""
        from pytorch_grad_cam import ablation_cam

        with preserved(model), without_progress(ablation_cam):
            return in_chunks(images, targets, len(images), lambda x, t: self.raw(model, x, t, layer))

    def build(self, model: nn.Module, layer: nn.Module, reshape: Callable[[Tensor], Tensor]) -> Any:
        """Return the library's object for this layer, with its own ablation layer; the library's default is shared."""
        from pytorch_grad_cam.ablation_layer import AblationLayer, AblationLayerVit

        name = next(name for name, module in model.named_modules() if module is layer)
        ablation = AblationLayerVit() if gives_tokens(model, name) else AblationLayer()
        kind = library_class(self.cam)
        return kind(model, [layer], reshape_transform=reshape, ablation_layer=ablation, batch_size=self.perturbations)

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:
        """Return a forward pass per channel, and two of the image as it is."""
        return 2.0 + channels_at(model, layer, shape)


def library_class(name: str) -> Any:
    """Return the library's class of this name.

    Raises:
        ValueError: if it has none; the message names the nearest ones.
    """
    import pytorch_grad_cam
    from pytorch_grad_cam.base_cam import BaseCAM

    classes = {n: c for n, c in vars(pytorch_grad_cam).items() if inspect.isclass(c) and issubclass(c, BaseCAM)}
    return look_up("CAM of pytorch-grad-cam", name, dict(sorted(classes.items())))


def to_maps(model: nn.Module, layer: str, images: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the library's ``reshape_transform``, a function from features to (N, C, h, w).

    The result is a view, but bfloat16 is cast to float32, because NumPy has no bfloat16. The layout is found in the
    first forward pass of an explanation and used for all, which may be thousands of masked images.
    """
    seen: list[FeatureLayout] = []

    def reshape(features: Tensor) -> Tensor:
        if not seen:
            seen.append(layout_at(model, layer, features, images))
        maps = seen[0].maps(features)
        return maps.float() if maps.dtype == torch.bfloat16 else maps

    return reshape


@contextmanager
def without_progress(module: ModuleType) -> Iterator[None]:
    """Context without the progress bar of a module of the library, which has no option to switch it off."""
    theirs = module.tqdm
    module.tqdm = SimpleNamespace(tqdm=iter)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.tqdm = theirs  # type: ignore[attr-defined]

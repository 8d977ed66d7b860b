"""Profiles of libraries: the steps from a raw map to a library's final output, composed of a few pure functions.

Maps are (N, h, w). A profile takes the raw map of every layer (most often one) and the image's size, and gives the
library's final output, so that one raw map of ours can be compared with all of them:

=================  =======================================  =====================================  =======
library            per layer                                layers fused by                        at last
=================  =======================================  =====================================  =======
heatmark           ReLU, bilinear                           (``methods/fusion.py`` says how)       min-max
pytorch-grad-cam   ReLU, min-max (ε 1e-7), OpenCV's linear  mean                                   min-max (ε 1e-7)
Captum             ReLU, nearest                            (one layer)                            nothing
torch-cam          ReLU, min-max (ε 1e-8), not resized      largest, after bilinear to the larger  nothing
=================  =======================================  =====================================  =======

OpenCV's linear is bilinear with ``align_corners=False``, to 1e-6 of the largest value, where a map grows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.common.resize import upsample
from heatmark.methods.engine.stages import Stages

Size = tuple[int, int]
"""Height and width in pixels."""
Resize = Callable[[Tensor, Size], Tensor]
Profile = Callable[[Sequence[Tensor], Size], Tensor]
"""Raw maps, one per layer, and the image's size -> the library's final output."""


def min_max(maps: Tensor, eps: float = 0.0) -> Tensor:
    """Return (L − min L) / (ε + max (L − min L)), each map by itself; a constant map is NaN where ε is 0.

    A positive ε is added to the denominator, as in the libraries; a constant map is then 0.
    """
    shifted = maps - maps.amin(dim=(1, 2), keepdim=True)
    return shifted / (eps + shifted.amax(dim=(1, 2), keepdim=True))


def resized(maps: Tensor, size: Size) -> Tensor:
    """Return maps resized as a sweep does before it scores them: bilinearly, in float32 for a float64 network too."""
    return upsample(maps.float(), size)


def nearest(maps: Tensor, size: Size) -> Tensor:
    """Return maps enlarged by repeating pixels, as Captum's ``LayerAttribution.interpolate`` does by default."""
    return F.interpolate(maps[:, None], size=size, mode="nearest")[:, 0]


def corners_aligned(maps: Tensor, size: Size) -> Tensor:
    """Return maps resized bilinearly with ``align_corners=True``, which moves them against the image at its borders."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=True)[:, 0]


def unchanged(maps: Tensor, size: Size) -> Tensor:  # noqa: ARG001
    """Return maps in their own resolution."""
    return maps


def mean_of_layers(maps: Sequence[Tensor]) -> Tensor:
    """Return the mean of equally large maps, place by place."""
    return torch.stack(list(maps)).mean(dim=0)


def largest_of_layers(maps: Sequence[Tensor]) -> Tensor:
    """Return the largest of equally large maps, place by place."""
    return torch.stack(list(maps)).amax(dim=0)


def heatmark(raws: Sequence[Tensor], size: Size) -> Tensor:
    """Return the one layer's map after ReLU, bilinear resizing and min-max without ε; a constant map is NaN.

    Raises:
        ValueError: for several layers.
    """
    (raw,) = raws
    return min_max(resized(raw.relu(), size))


def pytorch_grad_cam(raws: Sequence[Tensor], size: Size) -> Tensor:
    """Return pytorch-grad-cam's output: every layer scaled to [0, 1] before it is resized, and their mean again."""
    layers = [resized(min_max(raw.relu(), 1e-7), size) for raw in raws]
    return min_max(mean_of_layers(layers).relu(), 1e-7)


def captum(raws: Sequence[Tensor], size: Size) -> Tensor:
    """Return Captum's ``interpolate(attribute(…, relu_attributions=True))``: ReLU, nearest, not normalised.

    Raises:
        ValueError: for several layers.
    """
    (raw,) = raws
    return nearest(raw.relu(), size)


def torchcam(raws: Sequence[Tensor], size: Size) -> Tensor:  # noqa: ARG001
    """Return torch-cam's output, ``fuse_cams(extractor(…))``, in the resolution of the largest layer."""
    layers = [min_max(raw.relu(), 1e-8) for raw in raws]
    largest = (max(len(m[0]) for m in layers), max(len(m[0, 0]) for m in layers))
    return largest_of_layers([resized(maps, largest) for maps in layers])


def relu_after_resizing(raws: Sequence[Tensor], size: Size) -> Tensor:
    """Return Captum's ``interpolate(attribute(…, relu_attributions=False)).relu()``, when resized bilinearly.

    Between a positive and a negative place the map is positive over a smaller area than with the ReLU before resizing.

    Raises:
        ValueError: for several layers.
    """
    (raw,) = raws
    return resized(raw, size).relu()


def shown(stages: Stages, size: Size, resize: Resize = resized, profile: Profile = heatmark) -> Stages:
    """Return stages with ``resized`` and ``normalised`` filled in from ``relu``, by a resizing and a profile."""
    if stages.relu is None:
        return stages
    return replace(stages, resized=resize(stages.relu, size), normalised=profile([stages.relu], size))

"""Reference stages of every in-house CAM at a layer, and whether a check can afford them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from heatmark.benchmarks.conformance import perturbing, reference_implementation
from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Size
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.base import Method
from heatmark.methods.engine.stages import Stages
from heatmark.methods.fusion import FusedLayers
from heatmark.methods.score_cam import ScoreCAM

Array = NDArray[np.float64]

WORK = 5e11
"""Channels × pixels × parameters up to which a check can afford one forward pass per channel and image."""


def covers(definition: Method) -> bool:
    """Say whether this method has a reference implementation."""
    if isinstance(definition, FusedLayers):
        return covers(definition.method)
    return reference_implementation.covers(definition) or type(definition) in (ScoreCAM, AblationCAM)


def too_dear(definition: Method, module: nn.Module, channels: int, size: Size) -> str:
    """Return why one forward pass per channel of a layer is too expensive for a check, ``""`` where it is not."""
    if not isinstance(definition, ScoreCAM | AblationCAM):
        return ""
    work = channels * size[0] * size[1] * sum(p.numel() for p in module.parameters())
    return "" if work <= WORK else f"takes a forward pass for each of {channels} channels; checked on smaller models"


def reference(definition: Method, checked: CheckedLayer) -> Stages:
    """Return the reference stages of a method that is covered, at a checked layer.

    Raises:
        ValueError: where the layer's output has no place on the image.
    """
    size = checked.size
    if isinstance(definition, FusedLayers):
        return reference_implementation.displayed(checked.recorded, _fused(definition, checked), size)
    if isinstance(definition, ScoreCAM | AblationCAM):
        return reference_implementation.weighted(checked.recorded, _weights(definition, checked), size)
    return reference_implementation.stages(definition, checked.recorded, size)


def _weights(definition: ScoreCAM | AblationCAM, checked: CheckedLayer) -> Array:
    each = zip(checked.images, map(int, checked.targets), checked.recorded.activations, strict=True)
    if isinstance(definition, ScoreCAM):
        return np.stack([perturbing.score_cam(checked.module, image[None], target, A) for image, target, A in each])
    return np.stack(
        [perturbing.ablation_cam(checked.module, checked.layer, image[None], target) for image, target, _ in each]
    )


def _fused(definition: FusedLayers, checked: CheckedLayer) -> Array:
    """Return the mean or the largest of the layers' maps, each scaled to [0, 1] at the largest one's size."""
    layers = dict.fromkeys((checked.layer, *definition.layers))
    found = [reference(definition.method, replace(checked, layer=layer)).relu for layer in layers]
    maps = [m.numpy() for m in found if m is not None]
    height, width = max((m.shape[1:] for m in maps), key=lambda shape: shape[0] * shape[1])
    scaled = [
        np.stack(
            [reference_implementation.min_max(reference_implementation.bilinear(m, (height, width))) for m in of_layer]
        )
        for of_layer in maps
    ]
    fused: Array = np.mean(scaled, axis=0) if definition.how == "mean" else np.max(scaled, axis=0)
    return fused

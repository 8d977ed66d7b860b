"""One method at several layers, fused into one map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from heatmark.common.resize import upsample
from heatmark.methods.base import Method


@dataclass(frozen=True)
class FusedLayers(Method):
    """Explain at several layers and fuse the maps: L = mean or max over the layers of s(Up(L_l)).

    The layers are the one that is asked for and the ``layers`` listed here, each once. Up is bilinear
    (``align_corners=False``) to the largest of the maps, s the min-max normalisation of each image's map to [0, 1],
    without which the layer with the largest numbers would decide alone.

    A constant map has no min-max normalisation: where one of an image's maps is constant, its fused map is NaN.

    Jiang et al., "LayerCAM", IEEE TIP 2021 (section III-C), fuse with the maximum.

    Args:
        method: what explains at each layer.
        layers: dotted names of further layers of the model.
        how: ``mean`` or ``max`` over the layers.
    """

    method: Method
    layers: Sequence[str]
    how: Literal["mean", "max"] = "mean"

    def __post_init__(self) -> None:
        """Refuse what cannot be fused, and make the list of layers immutable."""
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.how not in ("mean", "max"):
            raise ValueError(f"how={self.how!r}, expected mean or max")
        if self.method.explains != "layer":
            raise ValueError(f"{type(self.method).__name__} explains the input and has no layers to fuse")

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return maps (N, h, w) in [0, 1], in the resolution of the largest."""
        maps = [self.method(model, images, targets, name) for name in dict.fromkeys((layer, *self.layers))]
        size = max((m.shape[1:] for m in maps), key=lambda shape: shape.numel())
        stack = torch.stack([unit_range(upsample(m, size)) for m in maps])
        return stack.mean(dim=0) if self.how == "mean" else stack.amax(dim=0)

    def unsupported(self, model: nn.Module, layer: str) -> str | None:
        """Say which listed layer the model has not, or why the method cannot work at one of them."""
        names = {name for name, _ in model.named_modules()}
        for name in self.layers:
            if name not in names:
                return f"{type(model).__name__} has no layer {name!r} to fuse"
        reasons = (self.method.unsupported(model, name) for name in (layer, *self.layers))
        return next((reason for reason in reasons if reason), None)


def unit_range(maps: Tensor) -> Tensor:
    """Return maps (N, h, w) min-max normalised to [0, 1] each, NaN where a map is constant."""
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / torch.where(high == low, torch.nan, high - low)

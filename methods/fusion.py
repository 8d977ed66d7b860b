"""The fusion of one method's maps at several layers into one map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from heatmark.common.resize import upsample
from heatmark.methods.base import Method


@dataclass(frozen=True)
class FusedLayers(Method):
    """The mean or the maximum of one method's maps at several layers: L = mean_l s(Up(L_l)) or max_l s(Up(L_l)).

    The layers are the one that the call names and the ``layers`` listed here, each once. Up is bilinear upsampling
    (``align_corners=False``) to the largest of the maps. s is the min-max normalisation of each map to [0, 1]; without
    it the layer with the largest numbers would dominate.

    A constant map cannot be min-max normalised: if one of an image's maps is constant, its fused map is NaN.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE TIP 2021, section
    III-C, take the maximum.

    Args:
        method: the method that explains each layer.
        layers: dotted names of further layers of the model.
        how: ``mean`` or ``max`` over the layers.

    Raises:
        ValueError: if ``how`` is neither ``mean`` nor ``max``, or the method explains the input.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.methods.layer_cam import LayerCAM
    >>> model = nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0, :2, 2:] = 4  # red at the top right
    >>> FusedLayers(LayerCAM(), layers=["1"])(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0.0000, 0.1250, 0.8750, 1.0000],
             [0.0000, 0.0938, 0.7812, 0.8750],
             [0.0000, 0.0312, 0.0938, 0.1250],
             [0.0000, 0.0000, 0.0000, 0.0000]]])
    """

    method: Method
    layers: Sequence[str]
    how: Literal["mean", "max"] = "mean"

    def __post_init__(self) -> None:
        """Check the options, and make the list of layers immutable."""
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.how not in ("mean", "max"):
            raise ValueError(f"how={self.how!r}, expected mean or max")
        if self.method.explains != "layer":
            raise ValueError(f"{type(self.method).__name__} explains the input and has no layers to fuse")

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return maps (N, h, w) in [0, 1], in the resolution of the largest of the maps; NaN where one is constant."""
        maps = [self.method(model, images, targets, name) for name in dict.fromkeys((layer, *self.layers))]
        size = max((m.shape[1:] for m in maps), key=lambda shape: shape.numel())
        stack = torch.stack([unit_range(upsample(m, size)) for m in maps])
        return stack.mean(dim=0) if self.how == "mean" else stack.amax(dim=0)

    def unsupported(self, model: nn.Module, layer: str) -> str | None:
        """Return which listed layer the model lacks, or why the method cannot explain one of the layers, else None."""
        names = {name for name, _ in model.named_modules()}
        for name in self.layers:
            if name not in names:
                return f"{type(model).__name__} has no layer {name!r} to fuse"
        reasons = (self.method.unsupported(model, name) for name in (layer, *self.layers))
        return next((reason for reason in reasons if reason), None)

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float | None:
        """Return the cost of the method at all layers; None if it is unknown at one."""
        known = [self.method.passes(model, name, shape) for name in dict.fromkeys((layer, *self.layers))]
        return None if None in known else sum(cost for cost in known if cost is not None)


def unit_range(maps: Tensor) -> Tensor:
    """Return maps (N, h, w), each min-max normalised to [0, 1]; NaN if a map is constant."""
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / torch.where(high == low, torch.nan, high - low)

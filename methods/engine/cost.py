"""What a method costs at a layer, in plain forward passes: its channels, and the share of the model behind it."""

import torch
from torch import nn

from heatmark.common.features import find_layer
from heatmark.common.model_state import observing
from heatmark.methods.engine.capture import activations_at


def channels_at(model: nn.Module, layer: str, shape: tuple[int, ...]) -> int:
    """Return the number of channels of a layer, from one forward pass of an image (C, H, W) of this shape.

    Raises:
        ValueError: if the layer is unknown, or its output is not a map.
    """
    return activations_at(model, _blank(model, shape), layer).shape[1]


def share_behind(model: nn.Module, layer: str, shape: tuple[int, ...]) -> float:
    """Return the share of the model's multiplications that run after a layer, in [0, 1], counted in one forward pass.

    Raises:
        ValueError: if the layer is unknown.
    """
    from torch.utils.flop_counter import FlopCounterMode  # 0.1 s, and only for an estimate

    until: list[int] = []
    counter = FlopCounterMode(display=False)
    handle = find_layer(model, layer).register_forward_hook(lambda *_: until.append(counter.get_total_flops()))
    try:
        with observing(model), counter:
            model(_blank(model, shape))
    finally:
        handle.remove()
    total = counter.get_total_flops()
    return 1.0 - until[-1] / total if until and total else 1.0


def _blank(model: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a batch of one image of zeros, on the device and in the type of the model's weights."""
    weight = next(model.parameters(), torch.zeros(()))
    return torch.zeros(1, *shape, device=weight.device, dtype=weight.dtype)

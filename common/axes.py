"""Which axis of a layer's output holds the channels, as far as the model's word and what the layer is say it."""

import torch
from torch import Tensor, nn

from heatmark.common.features import FeatureLayout, TokenLayout, find_layer, grid_of, readings

CHANNELS_FIRST = (
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm2d,
    nn.SyncBatchNorm,
    nn.GroupNorm,
    nn.InstanceNorm2d,
    nn.LocalResponseNorm,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Upsample,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
)
"""Modules whose output with four dimensions is (N, C, h, w)."""

BEYOND_DOUBT = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
"""Modules that no ``token_layout`` can make channels-last: it speaks of the transformer around them."""

ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Sigmoid),
    *(nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.LogSigmoid, nn.Softsign, nn.Threshold),
    *(nn.Dropout, nn.AlphaDropout, nn.Identity),
)
"""Modules that leave every number where it is: their output lies as their input does."""


def stated(model: nn.Module, layer: str, features: Tensor, image_size: tuple[int, int]) -> FeatureLayout | None:
    """Return how features lie on the image where it is said and not only possible, else None.

    The model's ``token_layout`` says it first, then what the layer is.

    Raises:
        ValueError: where tokens fit neither the layout nor another reading.
    """
    layout: TokenLayout | None = getattr(model, "token_layout", None)
    if features.ndim == 3 and layout is not None:
        return _tokens(find_layer(model, layer), features, image_size, layout)
    if features.ndim != 4:
        return None
    first, last = readings(features, layer, image_size)
    if (permuted := _permuted(find_layer(model, layer))) is not None:
        return first if permuted == TO_FIRST else last if permuted == TO_LAST else None
    if layout is None or layout.channels_last is None or isinstance(find_layer(model, layer), BEYOND_DOUBT):
        return first if gives_channels_first(model, layer, features) else None
    return last if layout.channels_last else first


TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""What torchvision's transformers permute by: to (N, C, h, w), and to (N, h, w, C)."""


def _permuted(module: nn.Module) -> tuple[object, ...] | None:
    """Return the order that torchvision's ``Permute`` brings dimensions into, which no ``token_layout`` speaks of."""
    dims = getattr(module, "dims", None)
    return tuple(dims) if type(module).__name__ == "Permute" and dims is not None else None


def _tokens(
    module: nn.Module, features: Tensor, image_size: tuple[int, int], layout: TokenLayout
) -> FeatureLayout | None:
    """Read (N, T, C) by the layout; None where the layer may as well give (N, C, T), as ``nn.Flatten(2)`` does."""
    count, places = features.shape[1:]
    grid = layout.grid or grid_of(count - layout.class_tokens, image_size)
    if grid is not None and grid[0] * grid[1] + layout.class_tokens == count and not _flattens(module):
        return FeatureLayout(2, layout.class_tokens, grid)
    if _flattens(module) and any(grid_of(places - class_tokens, image_size) for class_tokens in (0, 1)):
        return None
    raise ValueError(f"{count} tokens do not fit {layout} on images of {image_size[0]}x{image_size[1]} pixels")


def _flattens(module: nn.Module) -> bool:
    parts = _parts(module) if _is_plain_sequential(module) else []
    return isinstance(module, nn.Flatten) or any(map(_flattens, parts[-1:]))


def gives_channels_first(model: nn.Module, layer: str, features: Tensor) -> bool:
    """Say whether the kind of the layer shows that its features with four dimensions are (N, C, h, w).

    A convolution, a batch norm or a pooling says it. A ``Sequential`` gives what its last part does. What works on each
    number alone gives what stands before it in its ``Sequential`` does. A block of any other code gives (N, C, h, w) if
    all its parameters are those of convolutions and their norms, one of which, or some of which side by side, have as
    many channels as dimension 1 and none as many as dimension 3.

    No kind says (N, h, w, C): an ``nn.LayerNorm`` may stand in (N, windows, places, C) too, an ``nn.Linear`` may mix
    columns, and code may permute.
    """
    part = shaping(model, layer)
    return part is not None and _is_channels_first(part, features)


def shaping(model: nn.Module, layer: str) -> nn.Module | None:
    """Return the module as whose output a layer's output lies: what works on each number alone hands its input's on.

    That is the layer itself, or the nearest before it in its ``Sequential``; None where that is not known.
    """
    return next((part for part in reversed(_up_to(model, layer)) if not _is_elementwise(part)), None)


def _up_to(model: nn.Module, layer: str) -> list[nn.Module]:
    """Return a layer after all that certainly hands its output on to it, first to last."""
    parent_name, _, name = layer.rpartition(".")
    parent = find_layer(model, parent_name)
    if not layer or not _is_plain_sequential(parent):
        return [find_layer(model, layer)]
    return [*_up_to(model, parent_name)[:-1], *_parts(parent)[: list(parent._modules).index(name) + 1]]


def _parts(module: nn.Module) -> list[nn.Module]:
    """Return the direct parts in their order, one that is there twice twice (``children`` leaves out the second)."""
    return [part for part in module._modules.values() if part is not None]


def _is_plain_sequential(module: nn.Module) -> bool:
    return getattr(module.forward, "__func__", None) is nn.Sequential.forward


def _is_elementwise(module: nn.Module) -> bool:
    if _is_plain_sequential(module):
        return all(map(_is_elementwise, _parts(module)))
    return type(module) in ELEMENTWISE


def _is_channels_first(module: nn.Module, features: Tensor) -> bool:
    if _is_plain_sequential(module):
        part = next(part for part in reversed(_parts(module)) if not _is_elementwise(part))
        return _is_channels_first(part, features)
    return isinstance(module, CHANNELS_FIRST) or _is_block_of_convolutions(module, features)


def _is_block_of_convolutions(module: nn.Module, features: Tensor) -> bool:
    """Say whether a block's parameters are those of convolutions alone, which say how many channels it gives."""
    holders = [m for m in module.modules() if m._parameters or m._buffers]
    if not all(isinstance(m, CHANNELS_FIRST) for m in holders) or not _is_dense(features):
        return False
    names = ("out_channels", "num_features", "num_channels")
    declared = {count for m in holders for name in names if (count := getattr(m, name, None)) is not None}
    together = _sums([m.out_channels for m in holders if isinstance(m, nn.Conv2d)], max(features.shape[1:]))
    return any(features.shape[1] in known and features.shape[3] not in known for known in (declared, together))


def _sums(channels: list[int], most: int) -> set[int]:
    """Return what branches of so many channels give when some of them are concatenated, up to ``most``."""
    sums = {0}
    for count in channels:
        sums |= {before + count for before in sums if before + count <= most}
    return sums


def _is_dense(features: Tensor) -> bool:
    """Say whether features lie in memory as a convolution leaves them: not as a permuted view of that."""
    return features.is_contiguous() or features.is_contiguous(memory_format=torch.channels_last)

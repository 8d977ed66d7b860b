"""The layout of a layer's output, as far as the model's ``token_layout`` or the type of the layer determines it."""

import torch
from torch import Tensor, nn

from heatmark.common.features import FeatureLayout, TokenLayout, find_layer, grid_of, readings

VERSION = 1
"""Raised by whoever changes which layout the type of a layer determines: outdates every CAM."""

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

ALWAYS_CHANNELS_FIRST = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
"""Modules to which a ``token_layout`` does not apply: it describes the transformer around them."""

ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Sigmoid),
    *(nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.LogSigmoid, nn.Softsign, nn.Threshold),
    *(nn.Dropout, nn.AlphaDropout, nn.Identity),
)
"""Elementwise modules: their output has the layout of their input."""


def stated(model: nn.Module, layer: str, features: Tensor, image_size: tuple[int, int]) -> FeatureLayout | None:
    """Return the layout of a layer's features if ``token_layout`` or the type of the layer determines it, else None.

    The model's ``token_layout`` takes precedence over the type of the layer, except at convolutions and batch norms.

    Raises:
        ValueError: if tokens fit neither the ``token_layout`` nor another layout, or the layer is unknown.
    """
    layout: TokenLayout | None = getattr(model, "token_layout", None)
    if features.ndim == 3 and layout is not None:
        return _tokens(find_layer(model, layer), features, image_size, layout)
    if features.ndim != 4:
        return None
    first, last = readings(features, layer, image_size)
    if (permuted := _permuted(find_layer(model, layer))) is not None:
        return first if permuted == TO_FIRST else last if permuted == TO_LAST else None
    if layout is None or layout.channels_last is None or isinstance(find_layer(model, layer), ALWAYS_CHANNELS_FIRST):
        return first if gives_channels_first(model, layer, features) else None
    return last if layout.channels_last else first


TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""The permutations in torchvision's transformers: to (N, C, h, w), and to (N, h, w, C)."""


def _permuted(module: nn.Module) -> tuple[object, ...] | None:
    """Return the order of dimensions after torchvision's ``Permute``, which overrides ``token_layout``; else None."""
    dims = getattr(module, "dims", None)
    return tuple(dims) if type(module).__name__ == "Permute" and dims is not None else None


def _tokens(
    module: nn.Module, features: Tensor, image_size: tuple[int, int], layout: TokenLayout
) -> FeatureLayout | None:
    """Return the layout of tokens (N, T, C); None where the layer may as well give (N, C, T), as ``nn.Flatten(2)``."""
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
    """Return whether the type of the layer shows that its features with four dimensions are (N, C, h, w).

    This is true of convolutions, batch norms and poolings. A ``Sequential`` has the layout of its last module. An
    elementwise module has the layout of the module before it in its ``Sequential``. Any other block gives (N, C, h, w)
    if all its parameters belong to convolutions and their norms, and dimension 1, but not dimension 3, has the number
    of channels of one of these, or of several convolutions concatenated.

    No type shows (N, h, w, C): an ``nn.LayerNorm`` may also work on (N, windows, places, C), an ``nn.Linear`` may mix
    columns, and code may permute.
    """
    part = shaping(model, layer)
    return part is not None and _is_channels_first(part, features)


def shaping(model: nn.Module, layer: str) -> nn.Module | None:
    """Return the module whose output determines a layer's layout: the layer itself if it is not elementwise.

    For an elementwise layer it is the nearest module before it in its ``Sequential`` that is not; None if unknown.
    """
    return next((part for part in reversed(_up_to(model, layer)) if not _is_elementwise(part)), None)


def _up_to(model: nn.Module, layer: str) -> list[nn.Module]:
    """Return the layer and all modules that run before it in its (nested) ``Sequential``, in order of execution."""
    parent_name, _, name = layer.rpartition(".")
    parent = find_layer(model, parent_name)
    if not layer or not _is_plain_sequential(parent):
        return [find_layer(model, layer)]
    return [*_up_to(model, parent_name)[:-1], *_parts(parent)[: list(parent._modules).index(name) + 1]]


def _parts(module: nn.Module) -> list[nn.Module]:
    """Return the direct submodules in order; one that occurs twice is listed twice (``children`` lists it once)."""
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
    """Return whether a block consists of convolutions and norms whose channels fit dimension 1 only."""
    holders = [m for m in module.modules() if m._parameters or m._buffers]
    if not all(isinstance(m, CHANNELS_FIRST) for m in holders) or not _is_dense(features):
        return False
    names = ("out_channels", "num_features", "num_channels")
    declared = {count for m in holders for name in names if (count := getattr(m, name, None)) is not None}
    together = _sums([m.out_channels for m in holders if isinstance(m, nn.Conv2d)], max(features.shape[1:]))
    return any(features.shape[1] in known and features.shape[3] not in known for known in (declared, together))


def _sums(channels: list[int], most: int) -> set[int]:
    """Return the numbers of channels, up to ``most``, that concatenating some branches of these channels can give."""
    sums = {0}
    for count in channels:
        sums |= {before + count for before in sums if before + count <= most}
    return sums


def _is_dense(features: Tensor) -> bool:
    """Return whether features are contiguous in either memory format of (N, C, h, w), and no permuted view."""
    return features.is_contiguous() or features.is_contiguous(memory_format=torch.channels_last)

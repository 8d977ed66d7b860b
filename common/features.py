"""Layers by their dotted names, and the possible layouts of their output: which axes are channels, rows, columns."""

from dataclasses import dataclass

from torch import Tensor, nn

from heatmark.common.names import did_you_mean

VERSION = 1
"""Raised by whoever changes which layout is read from a layer's output: outdates every CAM."""


@dataclass(frozen=True)
class TokenLayout:
    """The layout of a transformer's features, stated by the user.

    A model carries it in an attribute ``token_layout``. It takes precedence over what the type of the layer or a trace
    shows, except at convolutions and batch norms.

    Args:
        class_tokens: number of class and register tokens before the patch tokens, in features (N, T, C).
        grid: rows and columns of patches; None derives them from the image's aspect ratio.
        channels_last: true if features with four dimensions are (N, h, w, C), as in Swin, false if they are
            (N, C, h, w), None to leave it to the type of the layer or a trace. The output of an ``nn.Conv2d`` or
            ``nn.BatchNorm2d`` is (N, C, h, w) in any case.

    Raises:
        ValueError: if ``channels_last`` is neither a boolean nor None, such as the string ``"false"``.
    """

    class_tokens: int = 1
    grid: tuple[int, int] | None = None
    channels_last: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.channels_last, bool | None):
            raise ValueError(f"channels_last is {self.channels_last!r}, expected true, false or null")


@dataclass(frozen=True)
class FeatureLayout:
    """The layout of one layer's output, which is (N, C, h, w), (N, h, w, C), tokens (N, T, C) or (N, C, T).

    Args:
        channel_dim: the dimension of the channels.
        class_tokens: number of tokens before the grid's; 0 for features with four dimensions.
        grid: rows h and columns w.
    """

    channel_dim: int
    class_tokens: int
    grid: tuple[int, int]

    def maps(self, features: Tensor) -> Tensor:
        """Return features of this layout as (N, C, h, w), a view: writing to it writes to the features."""
        channels_first = features if self.channel_dim == 1 else features.movedim(-1, 1)
        if features.ndim == 4:
            return channels_first
        places = channels_first[:, :, self.class_tokens :]
        return places.view(*places.shape[:2], *self.grid)


def find_layer(model: nn.Module, layer: str) -> nn.Module:
    """Return the submodule with this dotted name.

    Raises:
        ValueError: if there is none; the message gives the nearest names.
    """
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if layer in modules:
        return modules[layer]
    hint = did_you_mean(layer, filter(None, modules), f"its top layers are {', '.join(top_layers(model))}.")
    raise ValueError(f"unknown layer {layer!r} in {type(model).__name__}: {hint}")


def top_layers(model: nn.Module) -> list[str]:
    """Return the names of the model's direct children."""
    return [name for name, _ in model.named_children()]


def readings(features: Tensor, layer: str, image_size: tuple[int, int]) -> list[FeatureLayout]:
    """Return every layout that the sizes of the features allow; which one is right cannot be told from sizes.

    With four dimensions these are (N, C, h, w) and (N, h, w, C). With three they are tokens (N, T, C) and (N, C, T),
    without or with one class token, where the tokens form a grid of the image's aspect ratio.

    Raises:
        ValueError: if there is none.
    """
    if features.ndim == 4:
        _, a, b, c = features.shape
        return [FeatureLayout(1, 0, (b, c)), FeatureLayout(3, 0, (a, b))]
    if features.ndim != 3:
        raise ValueError(
            f"layer {layer!r} gives features of shape {tuple(features.shape)}, which are not maps over the image; "
            "expected (N, C, h, w), (N, h, w, C), tokens (N, T, C) or (N, C, T)"
        )
    found = [
        FeatureLayout(channel_dim, class_tokens, grid)
        for channel_dim in (2, 1)
        for class_tokens in (0, 1)
        if (grid := grid_of(features.shape[3 - channel_dim] - class_tokens, image_size))
    ]
    if not found:
        raise ValueError(
            f"layer {layer!r} gives features of shape {tuple(features.shape)}: {features.shape[1]} tokens fit no grid "
            f"of the aspect of {image_size[0]}x{image_size[1]} pixels, without or with one class token; {LAYOUT_HINT}"
        )
    return found


LAYOUT_HINT = (
    "state it by the model's token_layout (heatmark.common.features.TokenLayout; model.tokens in a config): "
    "class_tokens and grid for tokens, channels_last for features with four dimensions"
)


def grid_of(count: int, image_size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows and columns whose product is count and whose aspect ratio is exactly the image's, or None."""
    height, width = image_size
    for rows in range(1, count + 1):
        if count % rows == 0 and rows * width == count // rows * height:
            return rows, count // rows
    return None

"""Find a layer by its dotted name, and the ways in which its output may be seen as channels on a grid."""

from dataclasses import dataclass

from torch import Tensor, nn

from heatmark.common.names import did_you_mean


@dataclass(frozen=True)
class TokenLayout:
    """How a transformer's features lie on the image.

    A model says it with an attribute ``token_layout``, which is obeyed first.

    Args:
        class_tokens: class and register tokens that stand before the patch tokens, in features (N, T, C).
        grid: rows and columns of patches; None takes them from the image's aspect ratio.
        channels_last: whether features with four dimensions are (N, h, w, C), as in Swin, or (N, C, h, w); None does
            not say, so that what the layer is or a trace decides. What an ``nn.Conv2d`` or ``nn.BatchNorm2d`` itself
            gives is (N, C, h, w) in any case.

    Raises:
        ValueError: where ``channels_last`` is a word, which would count as true.
    """

    class_tokens: int = 1
    grid: tuple[int, int] | None = None
    channels_last: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.channels_last, bool | None):
            raise ValueError(f"channels_last is {self.channels_last!r}, expected true, false or null")


@dataclass(frozen=True)
class FeatureLayout:
    """Where the channels and the grid are in one layer's output: (N, C, h, w), (N, h, w, C), (N, T, C) or (N, C, T)."""

    channel_dim: int
    class_tokens: int
    grid: tuple[int, int]

    def maps(self, features: Tensor) -> Tensor:
        """Return features of this layer as (N, C, h, w), a view: writing into it writes into the features."""
        channels_first = features if self.channel_dim == 1 else features.movedim(-1, 1)
        if features.ndim == 4:
            return channels_first
        places = channels_first[:, :, self.class_tokens :]
        return places.view(*places.shape[:2], *self.grid)


def find_layer(model: nn.Module, layer: str) -> nn.Module:
    """Return the submodule with this dotted name.

    Raises:
        ValueError: where there is none; it names the nearest ones.
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
    """Return every way in which sizes allow features to lie on the image; sizes never say which one is right.

    (N, C, h, w) and (N, h, w, C); or tokens (N, T, C) and (N, C, T), without or with one class token, on a grid of the
    image's aspect.

    Raises:
        ValueError: where there is none.
    """
    if features.ndim == 4:
        _, a, b, c = features.shape
        return [FeatureLayout(1, 0, (b, c)), FeatureLayout(3, 0, (a, b))]
    if features.ndim != 3:
        raise ValueError(
            f"layer {layer!r} gives features of shape {tuple(features.shape)}, which have no place on the image; "
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
            f"of the aspect of {image_size[0]}x{image_size[1]} pixels, without or with one class token; {HOW_TO_SAY}"
        )
    return found


HOW_TO_SAY = (
    "say how they lie with the model's token_layout (heatmark.common.features.TokenLayout; model.tokens in a config): "
    "class_tokens and grid for tokens, channels_last for features with four dimensions"
)


def grid_of(count: int, image_size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows and columns whose product is count and whose aspect is exactly the image's, or None."""
    height, width = image_size
    for rows in range(1, count + 1):
        if count % rows == 0 and rows * width == count // rows * height:
            return rows, count // rows
    return None

"""Find a layer by its dotted name, and see its output as channels on a grid, for convolutions and transformers."""

import difflib
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class TokenLayout:
    """How a transformer's features lie on the image.

    A model says it with an attribute ``token_layout``; without one, :func:`arrange` infers it or refuses.

    Args:
        prefix: class and register tokens that stand before the patch tokens, in features (N, T, C).
        grid: rows and columns of patches; None takes them from the image's aspect ratio.
        channels_last: the layers give (N, h, w, C), as in Swin.
    """

    prefix: int = 1
    grid: tuple[int, int] | None = None
    channels_last: bool = False


@dataclass(frozen=True)
class Arrangement:
    """Where the channels and the grid are in one layer's output."""

    channel_dim: int
    prefix: int
    grid: tuple[int, int]

    def maps(self, features: Tensor) -> Tensor:
        """Return features of this layer as (N, C, h, w), a view: writing into it writes into the features."""
        if features.ndim == 3:
            tokens = features[:, self.prefix :].transpose(1, 2)
            return tokens.view(*tokens.shape[:2], *self.grid)
        return features if self.channel_dim == 1 else features.permute(0, 3, 1, 2)


def find_layer(model: nn.Module, layer: str) -> nn.Module:
    """Return the submodule with this dotted name.

    Raises:
        ValueError: where there is none; it names the nearest ones.
    """
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if layer in modules:
        return modules[layer]
    nearest = difflib.get_close_matches(layer, [name for name in modules if name], n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(nearest)}?" if nearest else f"its top layers are {', '.join(top_layers(model))}."
    raise ValueError(f"unknown layer {layer!r} in {type(model).__name__}: {hint}")


def top_layers(model: nn.Module) -> list[str]:
    """Return the names of the model's direct children."""
    return [name for name, _ in model.named_children()]


def arrange(
    features: Tensor, module: nn.Module, image_size: tuple[int, int], layout: TokenLayout | None
) -> Arrangement:
    """Say how one layer's output lies on the image.

    Args:
        features: the layer's output, (N, C, h, w), (N, h, w, C) or (N, T, C).
        module: the layer, looked at where the shape alone is ambiguous.
        image_size: height and width of the images in pixels.
        layout: what the model says of its tokens; None infers it.

    Raises:
        ValueError: where the output is no map, or fits more than one reading.
    """
    if features.ndim == 4:
        return _arrange_grid(features, module, image_size, layout)
    if features.ndim == 3:
        return _arrange_tokens(features, image_size, layout)
    raise ValueError(
        f"a {type(module).__name__} gives features of shape {tuple(features.shape)}, which have no place on the image; "
        "expected (N, C, h, w), (N, h, w, C) or tokens (N, T, C)"
    )


def _arrange_grid(
    features: Tensor, module: nn.Module, image_size: tuple[int, int], layout: TokenLayout | None
) -> Arrangement:
    """Read (N, C, h, w) or (N, h, w, C): where only one of the two has the image's aspect, that one is it."""
    _, a, b, c = features.shape
    channels_first, channels_last = Arrangement(1, 0, (b, c)), Arrangement(3, 0, (a, b))
    if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
        return channels_first
    for fits in (_same_aspect, _nearly_same_aspect):
        if fits((a, b), image_size) != fits((b, c), image_size):
            return channels_last if fits((a, b), image_size) else channels_first
    if layout is not None:
        return channels_last if layout.channels_last else channels_first
    if _works_on_the_last_dimension(module):
        raise ValueError(
            f"features of shape {tuple(features.shape)} may be (N, C, h, w) or (N, h, w, C); "
            "say which with the model's token_layout"
        )
    return channels_first


def _arrange_tokens(features: Tensor, image_size: tuple[int, int], layout: TokenLayout | None) -> Arrangement:
    count = features.shape[1]
    if layout is not None:
        grid = layout.grid or _grid(count - layout.prefix, image_size)
        if grid is None or grid[0] * grid[1] + layout.prefix != count:
            raise ValueError(f"{count} tokens do not fit {layout} on images of {image_size[0]}x{image_size[1]} pixels")
        return Arrangement(2, layout.prefix, grid)
    readings = [(prefix, grid) for prefix in (0, 1) if (grid := _grid(count - prefix, image_size))]
    if len(readings) != 1:
        raise ValueError(
            f"{count} tokens fit {len(readings)} grids on images of {image_size[0]}x{image_size[1]} pixels; "
            "say which with the model's token_layout (prefix tokens, and the grid if need be)"
        )
    return Arrangement(2, *readings[0])


def _grid(count: int, image_size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows and columns whose product is count and whose aspect is the image's, or None."""
    for rows in range(1, count + 1):
        if count % rows == 0 and _same_aspect((rows, count // rows), image_size):
            return rows, count // rows
    return None


def _same_aspect(grid: tuple[int, int], image_size: tuple[int, int]) -> bool:
    return grid[0] * image_size[1] == grid[1] * image_size[0]


def _nearly_same_aspect(grid: tuple[int, int], image_size: tuple[int, int]) -> bool:
    """Say whether one stride leads from the image to the grid when each side may be rounded up or down."""
    (h, w), (height, width) = grid, image_size
    return (h - 1) * width < (w + 1) * height and (w - 1) * height < (h + 1) * width


def _works_on_the_last_dimension(module: nn.Module) -> bool:
    return any(type(part) in (nn.LayerNorm, nn.Linear) for part in module.modules())

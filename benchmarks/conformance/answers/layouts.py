"""Known answers of layouts: where the channels and the grid of a layer lie, said, seen or refused."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.common.features import TokenLayout
from heatmark.methods.engine.capture import layout_at

FIRST, LAST = TokenLayout(channels_last=False), TokenLayout(channels_last=True)
HEIGHT, WIDTH, SIDE = 6, 8, 4


class Doubled(nn.Module):
    """A block whose code says nothing of axes, in which channels stay where they were."""

    def forward(self, x: Tensor) -> Tensor:
        """Return 2x."""
        return 2 * x


class Moved(nn.Module):
    """A block whose code moves channels to the end."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, h, w, C) of (N, C, h, w)."""
        return x.movedim(1, -1)


class Transposed(nn.Module):
    """A block whose code makes columns of rows, so that its features lie on no picture."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, w, h) of (N, C, h, w)."""
        return x.transpose(2, 3)


def layout_answers() -> Iterator[Finding]:
    """Yield in which dimension a layer's channels are found, by the model's word, by its kind or by a trace."""
    for check, layer, layout, right in (
        ("silent_block", Doubled(), None, 1),
        ("silent_moved", Moved(), None, 3),
        ("said_first", Moved(), FIRST, 1),
        ("said_last", Doubled(), LAST, 3),
        ("convolution_in_swin", nn.Conv2d(3, 3, 1), LAST, 1),
        ("transposed", Transposed(), None, 0),
    ):
        yield _channels(check, layer, layout, (HEIGHT, WIDTH), right)
    for check, flat_layout in (("flat_silent", None), ("flat_in_transformer", TokenLayout(class_tokens=0))):
        yield _channels(check, _flat(), flat_layout, (SIDE, SIDE), 1)


def _flat() -> nn.Module:
    """Return what gives (N, C, places) with as many channels as places, each local."""
    conv = nn.Conv2d(3, SIDE**2, 1, bias=False)
    conv.weight.data = torch.randn(conv.weight.shape, generator=torch.Generator().manual_seed(0))
    return nn.Sequential(conv, nn.Flatten(2))


def _channels(check: str, layer: nn.Module, layout: TokenLayout | None, size: tuple[int, int], right: int) -> Finding:
    """Return whether the channels are found in the right dimension; 0 says that there is no saying where."""
    model = nn.Sequential(nn.Identity(), layer).eval()
    if layout is not None:
        model.token_layout = layout  # type: ignore[assignment]
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = model(images)
    try:
        found = layout_at(model, "1", features, images).channel_dim
    except ValueError as error:
        return holds("layout", check, "" if right == 0 else f"refused: {error}")
    wrong = f"channels are taken from dimension {found}, right is {right or 'to refuse'}"
    return holds("layout", check, "" if found == right else wrong)

"""Known answers of the dimension of a layer's channels: given by the model, found, or refused."""

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
    """A block that leaves channels in their dimension, which its class does not tell."""

    def forward(self, x: Tensor) -> Tensor:
        """Return 2x."""
        return 2 * x


class Moved(nn.Module):
    """A block that moves channels to the last dimension."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, h, w, C) of (N, C, h, w)."""
        return x.movedim(1, -1)


class Transposed(nn.Module):
    """A block that swaps rows and columns, so that its features have no layout on the picture."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, w, h) of (N, C, h, w)."""
        return x.transpose(2, 3)


def layout_answers() -> Iterator[Finding]:
    """Yield whether a layer's channels are found, by the model's ``token_layout``, the layer's kind or a trace."""
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
    """Return a module that gives (N, C, places), with as many channels as places."""
    conv = nn.Conv2d(3, SIDE**2, 1, bias=False)
    conv.weight.data = torch.randn(conv.weight.shape, generator=torch.Generator().manual_seed(0))
    return nn.Sequential(conv, nn.Flatten(2))


def _channels(check: str, layer: nn.Module, layout: TokenLayout | None, size: tuple[int, int], right: int) -> Finding:
    """Return whether the channels are found in the right dimension, or refused where ``right`` is 0."""
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

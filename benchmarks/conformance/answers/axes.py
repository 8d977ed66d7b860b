"""Known answers of feature layouts: given by the model, ambiguous by their sizes, or not to be found."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.common.axes import stated
from heatmark.common.features import FeatureLayout, TokenLayout, grid_of
from heatmark.methods.engine.capture import layout_at


class Scrambled(nn.Module):
    """A layer of tokens (N, 14, 10) that each depend on the whole picture, so that no layout is right."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.weights = torch.randn(3 * 12 * 12, 14 * 10, generator=torch.Generator().manual_seed(seed))

    def forward(self, images: Tensor) -> Tensor:
        """Return random sums of all pixels."""
        return (images.flatten(1) @ self.weights).view(-1, 14, 10)


class Both(nn.Module):
    """A layer of features x_ij + x_ci, which follow the picture along (i, j) and along (c, i) alike."""

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 12, 12, 12) of (N, 3, 12, 12)."""
        x = images[:, 0]
        return x[:, None] + x[:, :, :, None]


def axes_answers() -> Iterator[Finding]:
    """Yield whether the layouts found are right, and refused where there is none."""
    for check, layer in (("chance", Scrambled(BY_CHANCE)), ("weak", Scrambled(WEAKLY)), ("both_readings", Both())):
        yield holds("trace", check, _read(layer))
    yield _grids()
    yield _stated_layout()
    yield _two_channel_counts()


BY_CHANCE = 167
"""A seed with which features follow one draw of noise by chance, and not another."""

WEAKLY = 11
"""A seed with which features follow every draw of noise, by no more than a tenth."""


def _read(layer: nn.Module) -> str:
    """Return the layout found of features that have none, in words; ``""`` where they are refused."""
    images = torch.zeros(1, 3, 12, 12)
    try:
        found = layout_at(nn.Sequential(layer), "0", layer(images), images)
    except ValueError:
        return ""
    return f"features without a layout are read as {found}"


def _grids() -> Finding:
    """Return whether grids of tokens have the image's aspect exactly: 5 × 6 does not fit 48 × 64 pixels."""
    wrong = [count for count, grid in ((12, (3, 4)), (48, (6, 8)), (30, None)) if grid_of(count, (48, 64)) != grid]
    return holds("grid_of", "exact_aspect", f"wrong for {wrong} tokens on 48 × 64 pixels" if wrong else "")


def _stated_layout() -> Finding:
    """Return whether a model's ``token_layout`` is used."""
    model, features = nn.Sequential(nn.Identity()), torch.zeros(1, 6, 8, 4)
    model.token_layout = TokenLayout(channels_last=True)  # type: ignore[assignment]
    found = stated(model, "0", features, (6, 8))
    return holds("stated", "layout_obeyed", "" if found == FeatureLayout(3, 0, (6, 8)) else f"read as {found}")


def _two_channel_counts() -> Finding:
    """Return that a block gives no layout if its convolutions' channels are as many as both outer dimensions."""
    block = nn.ModuleList([nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 1)])
    found = stated(nn.Sequential(block), "0", torch.zeros(1, 6, 8, 4), (8, 6))
    return holds("stated", "two_channel_counts", "" if found is None else f"read as {found}")

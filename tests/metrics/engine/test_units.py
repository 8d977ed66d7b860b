"""Tests of units: patches and segments, ranked by the mean of the map."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.engine.ties import raster, reversed_raster
from heatmark.metrics.engine.units import patches, slic_segments, unit_ranks

Make = Callable[..., Explained]
Build = Callable[[Tensor], nn.Module]

WEIGHTS = torch.tensor([[0.10, 0.10, 0.05], [0.10, 0.10, 0.05], [0.20, 0.20, 0.10]])
MAP = torch.tensor([[[1.0, 1, 9], [1, 9, 7], [4, 4, -5]]])
"""Means of its 2 × 2 patches: 3, 8, 4 and −5."""


def test_patches_cover_the_picture_and_are_smaller_at_its_ends() -> None:
    assert patches(torch.zeros(3, 3, 5), 2).view(3, 5).tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]


def test_a_curve_of_patches_by_hand(additive: Build, make_batch: Make) -> None:
    batch = make_batch(additive(WEIGHTS), torch.ones(1, 3, 3, 3), MAP)
    morf = PixelPath(steps=4, unit="patch", unit_size=2).curve(batch)
    assert morf.y[0].tolist() == pytest.approx([1, 0.9, 0.5, 0.1, 0], abs=1e-6)
    assert morf.x[0].tolist() == pytest.approx([0, 2 / 9, 4 / 9, 8 / 9, 1])  # of pixels, not of patches
    lerf = PixelPath("lerf", steps=4, unit="patch", unit_size=2).curve(batch)
    assert lerf.y[0].tolist() == pytest.approx([0, 0.1, 0.5, 0.9, 1], abs=1e-6)
    assert torch.equal(lerf.x, morf.x)


def test_patches_of_one_pixel_are_pixels(additive: Build, make_batch: Make) -> None:
    maps = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0)).relu()
    batch = make_batch(additive(WEIGHTS), torch.rand(2, 3, 3, 3), maps)
    for order in ("morf", "lerf"):
        pixels = PixelPath(order, steps=9, ties="drawn").curve(batch)
        single = PixelPath(order, steps=9, ties="drawn", unit="patch", unit_size=1).curve(batch)
        assert torch.equal(pixels.y, single.y)
        assert torch.equal(pixels.x.expand(2, -1), single.x)


class Channels(nn.Module):
    """Two classes; the first one's probability is the sum of weights · values over channels and pixels."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        q = (images * self.weights).sum(dim=(1, 2, 3))
        return torch.stack([q, 1 - q], dim=1).clamp(0, 1).log()


def test_channels_of_pixels_are_replaced_one_by_one(make_batch: Make) -> None:
    weights = torch.tensor([[[0.30, 0.05]], [[0.20, 0.03]], [[0.10, 0.02]]])  # (3, 1, 2)
    batch = make_batch(Channels(weights), torch.ones(1, 3, 1, 2), torch.tensor([[[9.0, 1.0]]]))
    morf = PixelPath(steps=6, unit="channel_pixel", ties="raster").curve(batch)
    assert morf.x.tolist() == pytest.approx([k / 6 for k in range(7)])
    assert morf.y[0].tolist() == pytest.approx([0.7, 0.4, 0.2, 0.1, 0.05, 0.02, 0], abs=1e-6)
    last = PixelPath(steps=6, unit="channel_pixel", ties="reversed").curve(batch)
    assert last.y[0].tolist() == pytest.approx([0.7, 0.6, 0.4, 0.1, 0.08, 0.05, 0], abs=1e-6)
    lerf = PixelPath("lerf", steps=6, unit="channel_pixel", ties="raster").curve(batch)
    assert lerf.y[0].tolist() == pytest.approx([0, 0.3, 0.5, 0.6, 0.65, 0.68, 0.7], abs=1e-6)


def test_equal_channels_come_in_the_order_of_channels_rows_and_columns(make_batch: Make) -> None:
    weights = torch.arange(1.0, 13.0).view(3, 2, 2) / 78
    batch = make_batch(Channels(weights), torch.ones(1, 3, 2, 2), torch.ones(1, 2, 2))
    y = PixelPath(steps=12, unit="channel_pixel", ties="raster").curve(batch).y[0]
    assert (-y.diff() * 78).tolist() == pytest.approx(list(range(1, 13)), abs=1e-4)


def test_three_channels_at_once_are_pixels_where_no_values_tie(additive: Build, make_batch: Make) -> None:
    maps = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    batch = make_batch(additive(WEIGHTS), torch.rand(2, 3, 3, 3), maps)
    for order in ("morf", "lerf"):
        single = PixelPath(order, steps=9, unit="channel_pixel").curve(batch)
        pixels = PixelPath(order, steps=9).curve(batch)
        assert torch.equal(single.y, pixels.y)
        assert torch.equal(single.x, pixels.x)


def test_equal_units_come_in_the_order_of_ties_and_their_pixels_together() -> None:
    images = torch.zeros(1, 3, 2, 4)
    first, ends = unit_ranks(images, torch.ones(1, 2, 4), raster(images, 0), "patch", 2)
    assert first.tolist() == [[0, 1, 4, 5, 2, 3, 6, 7]]
    assert [each.tolist() for each in ends] == [[0, 4, 8]]
    last, _ = unit_ranks(images, torch.ones(1, 2, 4), reversed_raster(images, 0), "patch", 2)
    assert last.tolist() == [[4, 5, 0, 1, 6, 7, 2, 3]]
    mixed, _ = unit_ranks(images[:, :, :1], torch.ones(1, 1, 4), torch.tensor([[0, 2, 3, 1]]), "patch", 2)
    assert mixed.tolist() == [[0, 1, 2, 3]]  # a unit comes where its first pixel does, not its last


def photographs() -> Tensor:
    """Pictures of four colours each, with a little noise."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(3, 3, 2, 2, generator=generator)
    return torch.nn.functional.interpolate(coarse, (24, 30)) + 0.02 * torch.rand(3, 3, 24, 30, generator=generator)


def test_segments_follow_the_picture_and_have_no_gaps() -> None:
    owner = slic_segments(photographs()[0], 12)
    assert sorted(set(owner.tolist())) == list(range(int(owner.max()) + 1))
    assert 6 <= int(owner.max()) + 1 <= 24
    colours = photographs()[0].flatten(1)
    spread = torch.stack([colours[:, owner == segment].std(dim=1).mean() for segment in range(int(owner.max()) + 1)])
    assert spread.median() < 0.02  # a segment has one colour, up to the noise


@pytest.mark.parametrize(("unit", "size", "steps"), [("patch", 7, 5), ("slic", 12, (0.0, 0.1, 0.3, 0.6, 1.0))])
def test_neighbours_batches_and_other_maps_change_no_bit(
    additive: Build, make_batch: Make, unit: str, size: int, steps: int | tuple[float, ...]
) -> None:
    weights = torch.rand(24, 30, generator=torch.Generator().manual_seed(0)) / 720
    maps = torch.randn(3, 24, 30, generator=torch.Generator().manual_seed(1))
    whole = make_batch(additive(weights), photographs(), maps, batch_size=4)
    path = PixelPath(steps=steps, unit=unit, unit_size=size)
    together = path.curve(whole)
    assert together.x.shape == together.y.shape == (3, len(together.y[0]))
    for n in (2, 0, 1):
        one = slice(n, n + 1)
        parts = {name: getattr(whole, name)[one] for name in ("images", "targets", "maps")}
        alone = path.curve(replace(whole, **parts))
        assert torch.equal(alone.y[0], together.y[n])
        assert torch.equal(alone.x[0], together.x[n])


def test_a_map_with_nan_has_no_curve_and_leaves_the_others(additive: Build, make_batch: Make) -> None:
    maps = MAP.repeat(2, 1, 1)
    maps[0, 0, 0] = torch.nan
    batch = make_batch(additive(WEIGHTS), torch.ones(2, 3, 3, 3), maps)
    y = PixelPath(steps=4, unit="patch", unit_size=2).curve(batch).y
    assert y[0].isnan().all()
    assert not y[1].isnan().any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "patches"}, "unknown unit 'patches': did you mean patch"),
        ({"unit": "patch", "unit_size": 0}, "unit_size=0 for unit='patch', expected a whole number from 1"),
        ({"unit_size": 4}, "unit_size=4 for unit='pixel', expected 1"),
        ({"unit": "channel_pixel", "unit_size": 3}, "unit_size=3 for unit='channel_pixel', expected 1"),
        ({"unit": "slic"}, "unit_size=1 for unit='slic', expected a whole number from 2"),
        ({"unit": "slic", "unit_size": 9, "counting": "chunks", "steps": 3}, "unit='slic' takes nearest, floor, log"),
        ({"score": "logits"}, "unknown score 'logits'"),
        ({"counted": "replace"}, "unknown way of counting 'replace': did you mean replaced"),
    ],
)
def test_wrong_options_name_what_is_right(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelPath(**options)  # type: ignore[arg-type]

"""Tests of pixel paths: LeRF is MoRF reversed, equal paths are equal objects, and neighbours change no bit."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.insertion import Insertion

WEIGHTS = torch.tensor([[0.4, 0.3], [0.2, 0.1]])


def test_both_orders_by_hand(additive, make_batch):
    batch = make_batch(additive(WEIGHTS), torch.ones(1, 3, 2, 2), torch.tensor([[[9.0, 5.0], [1.0, -3.0]]]))
    morf = PixelPath("morf", steps=4, fill="zero").curve(batch)
    assert morf.axis == "fraction removed"
    assert morf.x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert morf.y[0].tolist() == pytest.approx([1, 0.6, 0.3, 0.1, 0], abs=1e-7)
    # LeRF takes 0.1, 0.2, 0.3, 0.4 away; read backwards it inserts 0.4, 0.3, 0.2, 0.1
    lerf = PixelPath("lerf", steps=4, fill="zero").curve(batch)
    assert lerf.axis == "fraction inserted"
    assert lerf.x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert lerf.y[0].tolist() == pytest.approx([0, 0.4, 0.7, 0.9, 1], abs=1e-7)


def test_lerf_read_backwards_is_morf_of_the_opposite_map_with_ties_reversed(additive, make_batch):
    weights = torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) / 15
    maps = torch.tensor([[[0.0, 1, 1, 2, 0], [0, 1, 2, 2, 2], [1, 1, 0, 0, 0]]])
    batch = make_batch(additive(weights), torch.ones(1, 3, 3, 5), maps)
    lerf = PixelPath("lerf", steps=15, ties="raster").curve(batch)
    opposite = PixelPath("morf", steps=15, ties="reversed").curve(replace(batch, maps=-maps))
    assert torch.equal(lerf.y.flip(1), opposite.y)


def test_fractions_are_those_of_the_pixels_where_steps_do_not_divide(additive, make_batch):
    batch = make_batch(additive(torch.full((2, 5), 0.1)), torch.ones(1, 3, 2, 5), torch.rand(1, 2, 5))
    for order in ("morf", "lerf"):
        assert torch.equal(PixelPath(order, steps=4).curve(batch).x, torch.tensor([0, 2, 5, 8, 10]) / 10)


def test_lerf_removes_what_morf_leaves_where_a_count_is_rounded(additive, make_batch):
    weights = torch.tensor([[0.5, 0.3, 0.2]])
    batch = make_batch(additive(weights), torch.ones(1, 3, 1, 3), weights[None])
    curve = PixelPath("lerf", steps=2).curve(batch)  # 1.5 pixels are 2 for MoRF, which leaves 1 to LeRF
    assert torch.equal(curve.x, torch.tensor([0, 2, 3]) / 3)
    assert curve.y[0].tolist() == pytest.approx([0, 0.8, 1], abs=1e-7)


def test_without_steps_one_row_a_step(additive, make_batch):
    batch = make_batch(additive(torch.full((2, 5), 0.1)), torch.ones(1, 3, 2, 5), torch.rand(1, 2, 5))
    assert PixelPath().curve(batch).x.tolist() == [0, 0.5, 1]


def test_paths_that_draw_nothing_have_no_seed():
    assert PixelPath(ties="raster", seed=3) == PixelPath(ties="raster")
    assert hash(PixelPath(ties="raster", seed=3)) == hash(PixelPath(ties="raster"))
    assert PixelPath(seed=3) != PixelPath()
    assert Deletion(preset="rise-2018", seed=3).path == Deletion(ties="raster").path
    assert Deletion(baseline="blur").path != Insertion(baseline="blur").path
    assert Deletion(tie_orders=4).path == Deletion().path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "more"}, "unknown order 'more': did you mean morf\\?"),
        ({"fill": "zeros"}, "unknown baseline 'zeros': did you mean zero\\?"),
        ({"ties": "rasta"}, "unknown order of ties 'rasta'"),
        ({"steps": 0}, "steps=0, expected a whole number from 1"),
    ],
)
def test_wrong_options_name_what_is_right(options, message):
    with pytest.raises(ValueError, match=message):
        PixelPath(**options)


def test_more_steps_than_pixels_are_refused(additive, make_batch):
    batch = make_batch(additive(WEIGHTS), torch.ones(1, 3, 2, 2), torch.rand(1, 2, 2))
    with pytest.raises(ValueError, match="steps=5, expected 1 to 4"):
        PixelPath(steps=5).curve(batch)


def explained(batch_size: int) -> Explained:
    """Return seven images and a convolutional network whose bits depend on the size of a batch."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10)).eval()
    nn.init.normal_(model[-1].weight, std=0.5)
    maps = torch.randn(7, 21, 19)
    maps[2], maps[5, 3, 3] = maps[2].relu(), torch.nan
    where = torch.arange(7)
    return Explained(model, torch.randn(7, 3, 21, 19), where, maps, None, lambda *_: maps, batch_size=batch_size)


def some(batch: Explained, which: list[int]) -> Explained:
    return replace(batch, images=batch.images[which], targets=batch.targets[which], maps=batch.maps[which])


GROUPS = [[n] for n in range(7)] + [[0, 1, 2, 3, 4], [5, 6], [6, 5, 4, 3, 2, 1, 0], [2, 4], [5]]


@pytest.mark.parametrize("fill", ["zero", "mean", "blur"])
@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_curves_are_the_same_to_the_bit_alone_and_in_any_group(order, fill):
    batch, path = explained(batch_size=16), PixelPath(order, steps=9, fill=fill)
    together = path.curve(batch)
    for group in GROUPS:
        assert torch.equal(path.curve(some(batch, group)).y.nan_to_num(nan=-1), together.y[group].nan_to_num(nan=-1))


def test_every_forward_pass_has_the_batch_size():
    batch, seen = explained(batch_size=16), []
    batch.model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    PixelPath(steps=9).curve(some(batch, [0, 1, 5]))
    assert seen == [16, 16]  # 20 pairs; the image whose map holds NaN costs nothing

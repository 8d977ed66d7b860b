"""Tests of the order of equal pixels, which depends on the image and the seed only."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch

from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.engine.ties import drawn, find_tie_order, raster, reversed_raster
from heatmark.metrics.insertion import Insertion

TOP_HEAVY = torch.zeros(8, 8)
TOP_HEAVY[0] = 1 / 8


def pictures(count, height=8, width=8, seed=0):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def constant_batch(additive, make_batch, weights, images, **options):
    return make_batch(additive(weights), images, torch.full((len(images), *weights.shape), 3.0), **options)


def bounds_of(metric, batch):
    """Return the smallest and the largest sum over the curves of the metric's path and bounds, (N, 2)."""
    values = torch.stack([metric.summarise(path.curve(batch)).values for path in (metric.path, *metric.bounds)])
    return torch.stack([values.amin(0), values.amax(0)], dim=1)


def test_raster_and_its_reverse_by_hand():
    images = torch.zeros(2, 3, 2, 3)
    assert raster(images, 0).tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    assert reversed_raster(images, 0).tolist() == [[5, 4, 3, 2, 1, 0]] * 2


def test_a_drawn_order_holds_every_pixel_once_and_each_image_has_its_own():
    orders = drawn(pictures(20), 0)
    assert torch.equal(orders.sort(dim=1).values, torch.arange(64).expand(20, 64))
    assert len({tuple(order) for order in orders.tolist()}) == 20


def test_a_drawn_order_is_the_images_and_the_seeds_alone():
    images = pictures(5)
    together = drawn(images, 0)
    for n in range(5):
        assert torch.equal(drawn(images[n : n + 1], 0)[0], together[n])
    assert torch.equal(drawn(images.flip(0), 0).flip(0), together)
    assert torch.equal(drawn(images.double(), 0), together)
    assert not torch.equal(drawn(images, 1), together)
    state = torch.random.get_rng_state()
    drawn(images, 0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_drawn_order_stays_the_same_over_time():
    """Two runs a year apart must agree, so the expected order is part of the test."""
    assert drawn(torch.arange(24.0).view(1, 3, 2, 4), 0).tolist() == [[3, 6, 2, 4, 5, 1, 7, 0]]


def test_each_pixel_comes_at_each_place_equally_often():
    places = drawn(pictures(2000, 2, 2), 0).argsort(dim=1)
    counts = torch.stack([(places == place).sum(0) for place in range(4)])
    assert (counts - 500).abs().max() < 5 * sqrt(2000 * 0.25 * 0.75)


def test_no_place_on_a_large_picture_is_preferred():
    places = drawn(pictures(300, 24, 32), 0).argsort(dim=1).double() / (24 * 32 - 1)
    assert (places.mean(0) - 0.5).abs().max() < 5 * sqrt(1 / 12 / 300)


def test_neighbours_come_together_as_in_a_random_map():
    """In an order of independent pixels, by contrast, neighbours are a third of all pixels apart on average."""
    places = drawn(pictures(4, 64, 64), 0).argsort(dim=1).view(4, 64, 64).double() / 64**2
    for dim in (1, 2):
        assert places.diff(dim=dim).abs().mean() < 0.05
    halves = places[:, :, :32].mean((1, 2)) - places[:, :, 32:].mean((1, 2))
    assert halves.abs().max() < 0.3  # and yet the order is no scan from one side to the other


def test_a_constant_map_scores_as_random_maps_do(additive, make_batch):
    """The model sees each half of an image only if most of the half is there, so that connected pixels matter."""

    class Halves(torch.nn.Module):
        def forward(self, images):
            there = torch.stack([half.mean((1, 2, 3)) for half in images.tensor_split(2, dim=2)], 1)
            p = torch.sigmoid(20 * (there - 0.7)).amax(1)
            return torch.stack([p, 1 - p], 1).log()

    images = 1 - 1e-3 * pictures(200, 32, 32)
    noise = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(9))
    control = torch.nn.functional.interpolate(noise, (32, 32), mode="bilinear")[:, 0]
    constant, random = (
        Deletion(steps=32)(make_batch(Halves().eval(), images, maps, batch_size=500)).values
        for maps in (torch.zeros(200, 32, 32), control)
    )
    assert (constant - random).mean().abs() < 4 * (constant - random).std() / sqrt(200)


def test_drawn_orders_are_not_what_methods_draw():
    from heatmark.common.seeds import image_generator

    image = pictures(1)
    noise = torch.rand(8, 8, generator=image_generator(image[0], 0), dtype=torch.float64)
    assert not torch.equal(drawn(image, 0)[0], noise.flatten().argsort())


@pytest.mark.gpu
def test_a_drawn_order_is_the_same_on_a_gpu():
    images = pictures(3)
    assert torch.equal(drawn(images.cuda(), 0).cpu(), drawn(images, 0))


def test_no_images_have_no_orders():
    assert drawn(torch.zeros(0, 3, 2, 2), 0).shape == (0, 4)


def test_an_unknown_order_names_the_nearest():
    with pytest.raises(ValueError, match="unknown order of ties 'drawm': did you mean drawn\\?"):
        find_tie_order("drawm")


def test_a_constant_map_scores_half_whatever_the_model_looks_at(additive, make_batch):
    """Any order is as probable as its reverse, and the two areas add up to p(image) on an additive model."""
    images = torch.ones(400, 3, 8, 8) - 1e-3 * pictures(400)  # all but equal, yet each with a seed of its own
    values = Deletion(steps=64)(constant_batch(additive, make_batch, TOP_HEAVY, images)).values
    # AUC = Σ w_i (rank_i + ½)/n over 8 of 64 pixels of weight ⅛: the mean of 8 ranks drawn without replacement
    deviation = sqrt((64**2 - 1) / 12 / 8 * (64 - 8) / (64 - 1)) / 64
    assert values.mean().item() == pytest.approx(0.5, abs=4 * deviation / sqrt(400))
    assert values.std().item() == pytest.approx(deviation, rel=0.15)


def test_a_constant_map_scores_the_same_for_a_picture_and_the_picture_upside_down(additive, make_batch):
    images = pictures(400)
    images[:, :, 4:] /= 4  # bright at the top
    weights = torch.full((8, 8), 1 / 64)
    pair = [constant_batch(additive, make_batch, weights, x) for x in (images, images.flip(2))]
    upright, turned = (Deletion(steps=64)(batch).values for batch in pair)
    gap = upright - turned
    assert abs(gap.mean()) < 4 * gap.std() / sqrt(400)
    assert gap.std() > 0
    upright, turned = (Deletion(steps=64, preset="rise-2018")(batch).values for batch in pair)
    assert (upright - turned).mean() < -0.05  # a scan from the top deletes what is bright first


def test_a_map_of_two_levels_is_exact_whatever_the_ties(additive, make_batch):
    """The three marked pixels carry all the weight, in equal parts: each order takes them first, one by one."""
    marked = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    images = torch.ones(6, 3, 3, 3) * torch.linspace(0.5, 1, 6).view(6, 1, 1, 1)
    batch = make_batch(additive(marked / 3), images, marked.expand(6, 3, 3))
    left = torch.tensor([1, 2 / 3, 1 / 3, 0, 0, 0, 0, 0, 0, 0])
    full = torch.linspace(0.5, 1, 6)[:, None]
    assert torch.allclose(Deletion(steps=9).path.curve(batch).y, full * left, atol=1e-6)
    inserted = Insertion(steps=9, baseline="zero").path.curve(batch).y
    assert torch.allclose(inserted, full * (1 - left), atol=1e-6)


def test_deletion_and_insertion_take_ties_in_one_order(additive, make_batch):
    generator = torch.Generator().manual_seed(3)
    weights = torch.rand(8, 8, generator=generator) / 64
    maps = torch.randint(0, 3, (4, 8, 8), generator=generator).float()
    images = pictures(4)
    batch = make_batch(additive(weights), images, maps)
    deleted, inserted = Deletion(steps=64).path.curve(batch), Insertion(steps=64, baseline="zero").path.curve(batch)
    # additive: what is gone and what is back are the whole, at every point, if and only if the orders are one
    whole = (images.mean(1) * weights).sum((1, 2))[:, None]
    assert torch.allclose(deleted.y + inserted.y, whole.expand(4, 65), atol=1e-6)


@pytest.mark.parametrize("metric", [Deletion(steps=16), Insertion(steps=16)])
def test_neither_batch_nor_neighbours_nor_order_move_a_tied_maps_score(additive, make_batch, metric):
    images = pictures(5)
    batch = constant_batch(additive, make_batch, TOP_HEAVY, images)
    values = metric(batch).values
    assert len(set(values.tolist())) == 5
    alone = [
        metric(constant_batch(additive, make_batch, TOP_HEAVY, image[None], batch_size=3)).values for image in images
    ]
    assert torch.allclose(torch.cat(alone), values, atol=1e-6)
    turned = constant_batch(additive, make_batch, TOP_HEAVY, images.flip(0), batch_size=7)
    assert torch.allclose(metric(turned).values.flip(0), values, atol=1e-6)


def test_bounds_are_the_range_over_the_orders_that_were_tried(additive, make_batch):
    """All the weight is in the top row, so that raster order and its reverse are the extremes of all orders."""
    images = torch.ones(3, 3, 8, 8) * torch.tensor([1.0, 0.5, 0.25]).view(3, 1, 1, 1)
    batch = constant_batch(additive, make_batch, TOP_HEAVY, images)
    metric = Deletion(steps=64, tie_orders=3)
    values = metric(batch).values
    # AUC = Σ w_i (rank_i + ½)/n: the mean rank of the row is 3.5 first, and 59.5 last
    expected = torch.tensor([[4 / 64, 60 / 64]]) * images[:, 0, 0, :1]
    assert torch.allclose(bounds_of(metric, batch), expected, atol=1e-6)
    assert torch.equal(values, Deletion(steps=64)(batch).values)  # asking for bounds changes no value


def test_bounds_hold_the_value_and_every_drawn_order(additive, make_batch):
    weights = torch.rand(8, 8, generator=torch.Generator().manual_seed(1)) / 64
    batch = constant_batch(additive, make_batch, weights, pictures(6))
    metric = Deletion(steps=16, seed=5, tie_orders=4)
    tried = [replace(metric, ties="raster"), replace(metric, ties="reversed")]
    tried += [replace(metric, seed=seed) for seed in range(5, 9)]
    scores = torch.stack([one(batch).values for one in tried])
    expected = torch.stack([scores.amin(0), scores.amax(0)], dim=1)
    assert torch.allclose(bounds_of(metric, batch), expected, atol=1e-6)


def test_bounds_are_one_path_for_each_order_but_the_metrics_own():
    drawn_paths = [PixelPath(steps=4, ties="drawn", seed=seed) for seed in range(4)]
    raster_path, reversed_path = PixelPath(steps=4, ties="raster"), PixelPath(steps=4, ties="reversed")
    assert Deletion(steps=4, tie_orders=4).bounds == (raster_path, reversed_path, *drawn_paths[1:])
    assert Deletion(steps=4, tie_orders=4, preset="rise-2018").bounds == (reversed_path, *drawn_paths)
    assert Deletion(steps=4, tie_orders=4, ties="reversed").bounds == (raster_path, *drawn_paths)
    assert Deletion(steps=4, seed=7, tie_orders=2).bounds[2:] == (PixelPath(steps=4, seed=8),)
    assert {path.order for path in Insertion(tie_orders=4).bounds} == {"lerf"}
    assert Deletion().bounds == ()


def test_bounds_of_a_map_without_order_are_nan(additive, make_batch):
    batch = constant_batch(additive, make_batch, TOP_HEAVY, pictures(2))
    maps = batch.maps.clone()
    maps[0, 0, 0] = torch.nan
    bounds = bounds_of(Deletion(tie_orders=2), replace(batch, maps=maps))
    assert np.isnan(bounds.numpy()).tolist() == [[True, True], [False, False]]


def test_the_order_is_that_of_published_tables() -> None:
    assert (Deletion().ties, Deletion().seed, Deletion().tie_orders) == ("drawn", 0, 0)


def test_seeds_of_either_sign_are_orders_of_their_own():
    images = pictures(1)
    orders = [tuple(drawn(images, seed)[0].tolist()) for seed in (-2, -1, 0, 1, 2)]
    assert len(set(orders)) == 5

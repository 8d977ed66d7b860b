"""Tests of perturbation scores: ranks, steps, scores and number of forward passes."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from heatmark.metrics.engine.perturbation import (
    Filled,
    perturbation_scores,
    pixel_counts,
    relevance_ranks,
    require_evaluable,
)
from heatmark.metrics.engine.ties import raster


def in_raster(maps):
    return raster(maps[:, None], 0)


def to_black(batch, counts):
    """Return the scores of images whose most relevant pixels turn black, ties in raster order."""
    ranks = relevance_ranks(batch.maps, in_raster(batch.maps))
    return perturbation_scores(batch, Filled(torch.zeros_like(batch.images)), ranks, counts)


def test_ranks_by_hand():
    maps = torch.tensor([[[0.1, 3.0], [-2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]])
    assert relevance_ranks(maps, in_raster(maps)).tolist() == [[2, 0, 3, 1], [3, 2, 1, 0]]
    # of the two 3.0 the last pixel comes first; where nothing ties, the order of ties says nothing
    ties = torch.tensor([[3, 0, 2, 1], [3, 0, 2, 1]])
    assert relevance_ranks(maps, ties).tolist() == [[2, 1, 3, 0], [3, 2, 1, 0]]


def test_constant_map_keeps_the_order_of_ties_and_minus_zero_is_zero():
    flat = torch.zeros(1, 40, 40)
    assert relevance_ranks(flat, in_raster(flat))[0].tolist() == list(range(1600))
    signed = torch.tensor([[[0.0, -0.0], [-0.0, 0.0]]])
    assert relevance_ranks(signed, in_raster(signed)).tolist() == [[0, 1, 2, 3]]
    assert relevance_ranks(signed, torch.tensor([[2, 3, 1, 0]])).tolist() == [[3, 2, 0, 1]]


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_ranks_are_the_descending_order_and_ties_come_in_theirs(values, random):
    ties = random.sample(range(len(values)), len(values))
    ranks = relevance_ranks(torch.tensor(values, dtype=torch.float32).view(1, 1, -1), torch.tensor([ties]))[0]
    expected = sorted(range(len(values)), key=lambda pixel: (-values[pixel], ties.index(pixel)))
    assert [expected[rank] for rank in ranks] == list(range(len(values)))


def test_counts_keep_both_ends_and_never_leave_the_grid():
    assert pixel_counts(224 * 224, 224) == list(range(0, 224 * 224 + 1, 224))
    assert pixel_counts(10, 4) == [0, 2, 5, 8, 10]
    assert pixel_counts(4, 4) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("steps", [0, -1, 5])
def test_counts_refuse_impossible_steps(steps):
    with pytest.raises(ValueError, match=f"steps={steps}, expected 1 to 4"):
        pixel_counts(4, steps)


def test_uneven_counts_by_hand(additive, make_batch):
    weights = torch.tensor([[0.5, 0.3, 0.2]])
    batch = make_batch(additive(weights), torch.ones(1, 3, 1, 3), weights[None])
    assert torch.allclose(to_black(batch, [0, 1, 3]), torch.tensor([[1.0, 0.5, 0.0]]))


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 5))
def test_each_pair_of_image_and_point_costs_one_forward_and_the_last_batch_is_filled_up(
    additive, make_batch, batch_size, count
):
    generator = torch.Generator().manual_seed(count)
    weights = torch.rand(3, 3, generator=generator)
    weights /= weights.sum()
    maps = torch.rand(count, 3, 3, generator=generator)
    images = torch.rand(count, 3, 3, 3, generator=generator)
    model = additive(weights)
    batch = make_batch(model, images, maps, batch_size=batch_size)
    batched = to_black(batch, pixel_counts(9, 9))
    assert model.images_seen == -(-count * 10 // batch_size) * batch_size
    one_by_one = to_black(replace(batch, batch_size=1), pixel_counts(9, 9))
    assert torch.allclose(batched, one_by_one, atol=1e-6)


def test_nan_map_gives_a_nan_curve_and_costs_nothing(additive, make_batch):
    weights = torch.full((2, 2), 0.25)
    maps = torch.rand(3, 2, 2)
    maps[1, 0, 1] = torch.nan
    model = additive(weights)
    batch = make_batch(model, torch.ones(3, 3, 2, 2), maps, batch_size=5)
    scores = to_black(batch, pixel_counts(4, 4))
    assert scores[1].isnan().all()
    assert torch.allclose(scores[[0, 2]], torch.tensor([1, 0.75, 0.5, 0.25, 0]).expand(2, 5))
    assert model.images_seen == 2 * 5


def test_only_nan_maps_ask_nothing_of_the_model(additive, make_batch):
    model = additive(torch.full((2, 2), 0.25))
    batch = make_batch(model, torch.ones(2, 3, 2, 2), torch.full((2, 2, 2), torch.nan))
    scores = to_black(batch, pixel_counts(4, 2))
    assert scores.shape == (2, 3)
    assert scores.isnan().all()
    assert model.images_seen == 0


def test_scores_are_probabilities_of_each_images_own_target_in_float32_or_better(make_batch):
    model = nn.Flatten().eval()
    images = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]]).view(2, 3, 1, 1)
    expected = [torch.e**2 / (1 + torch.e + torch.e**2), torch.e**3 / (torch.e**3 + 1 + 1 / torch.e)]
    for dtype, scored, tolerance in (
        (torch.bfloat16, torch.float32, 1e-6),
        (torch.float32, torch.float32, 1e-6),
        (torch.float64, torch.float64, 1e-12),
    ):
        batch = replace(make_batch(model, images.to(dtype), torch.zeros(2, 1, 1)), targets=torch.tensor([2, 0]))
        scores = to_black(batch, [0, 1])
        assert scores.dtype == scored
        assert scores[:, 0].tolist() == pytest.approx(expected, abs=tolerance)
        assert scores[:, 1].tolist() == pytest.approx([1 / 3, 1 / 3], abs=tolerance)


def test_no_graph_is_recorded_and_inputs_stay(additive, make_batch):
    weights = nn.Parameter(torch.full((2, 2), 0.25))
    images, maps = torch.ones(1, 3, 2, 2), torch.rand(1, 2, 2)
    kept = images.clone(), maps.clone()
    batch = make_batch(additive(weights), images, maps)
    scores = to_black(batch, pixel_counts(4, 2))
    assert not scores.requires_grad
    assert weights.grad is None
    assert torch.equal(images, kept[0])
    assert torch.equal(maps, kept[1])


def test_training_mode_is_refused(additive, make_batch):
    model = additive(torch.full((2, 2), 0.25)).train()
    batch = make_batch(model, torch.ones(1, 3, 2, 2), torch.rand(1, 2, 2))
    with pytest.raises(ValueError, match=r"training mode.*model\.eval\(\)"):
        require_evaluable(batch)


def test_shapes_that_do_not_belong_together_are_refused(additive, make_batch):
    batch = make_batch(additive(torch.full((2, 2), 0.25)), torch.ones(1, 3, 2, 2), torch.rand(1, 1, 4))
    with pytest.raises(ValueError, match=r"need maps \(1, 2, 2\).*got maps \(1, 1, 4\)"):
        require_evaluable(batch)

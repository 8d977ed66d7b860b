"""Tests of the pointing game, against TorchRay's rule, and where Quantus gives a hit that is none."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from heatmark.metrics.base import Explained
from heatmark.metrics.pointing_game import PointingGame, near


def batch(maps: torch.Tensor, masks: torch.Tensor) -> Explained:
    images, targets = torch.zeros(len(maps), 3, *maps.shape[1:]), torch.zeros(len(maps), dtype=torch.int64)
    return Explained(nn.Identity(), images, targets, maps, masks, lambda *_: maps)


def torchray(mask: np.ndarray, point: tuple[int, int], tolerance: int) -> bool:
    """Return whether a point (row, column) hits, by TorchRay's rule: the open disc around it meets the mask."""
    rows, columns = np.indices(mask.shape)
    return bool((mask & ((rows - point[0]) ** 2 + (columns - point[1]) ** 2 < tolerance**2)).any())


def at(row: int, column: int) -> torch.Tensor:
    maps = torch.zeros(1, 9, 12)
    maps[0, row, column] = 1
    return maps


@pytest.mark.parametrize(
    ("tolerance", "row", "column", "hit"),
    [
        (0, 4, 5, 1), (0, 4, 6, 0), (1, 4, 5, 1), (1, 4, 6, 0), (2, 4, 6, 1), (2, 5, 6, 1), (2, 4, 7, 0),
        (5, 7, 8, 1), (5, 8, 8, 0), (5, 1, 1, 0), (6, 8, 8, 1),  # at distances √18, 5 (the disc is open), 5, 5
    ],
)  # fmt: skip
def test_by_hand_with_one_pixel_as_the_object(tolerance, row, column, hit):
    masks = at(4, 5).bool()
    assert PointingGame(tolerance)(batch(at(row, column), masks)).values.tolist() == [hit]


@given(st.integers(1, 20), st.integers(0, 10_000))
def test_torchrays_rule_for_every_point(tolerance, seed):
    masks = torch.rand(2, 11, 7, generator=torch.Generator().manual_seed(seed)) < 0.03
    expected = [
        [[torchray(mask, (row, column), tolerance) for column in range(7)] for row in range(11)]
        for mask in masks.numpy()
    ]
    assert near(masks, tolerance).tolist() == expected


def test_of_equal_maxima_the_share_that_hits():
    maps = torch.tensor([[[5.0, 5, 5, 0], [5, 0, 0, 0]]])
    masks = torch.tensor([[[False, False, True, True], [False, True, False, False]]])
    assert PointingGame()(batch(maps, masks)).values.tolist() == [0.25]
    # The first and the second are next to a pixel of the mask, diagonally or directly.
    assert PointingGame(2)(batch(maps, masks)).values.tolist() == [1.0]


def test_the_largest_value_may_be_negative():
    maps = torch.tensor([[[-1.0, -2], [-3, -9]]])
    masks = torch.tensor([[[True, False], [False, False]]])
    assert PointingGame()(batch(maps, masks)).values.tolist() == [1]
    assert PointingGame()(batch(-maps, masks)).values.tolist() == [0]


def test_a_constant_map_and_an_empty_mask_are_no_hit_though_quantus_gives_both_one():
    maps, masks = torch.stack([torch.ones(3, 3), torch.eye(3)]), torch.zeros(2, 3, 3, dtype=torch.bool)
    masks[0, 1, 1] = True
    scores = PointingGame()(batch(maps, masks))
    assert scores.values.isnan().all()
    assert scores.reasons == [
        "the map is constant: it has no maximum", "the mask is empty, or all its pixels are ignored",
    ]  # fmt: skip
    relevance, inside = maps.flatten(1).numpy(), masks.flatten(1).numpy()
    hit = np.any(inside * (relevance == relevance.max(axis=-1, keepdims=True)), axis=-1)
    hit[inside.sum(axis=-1) == 0] = np.nan
    assert hit.tolist() == [True, True]


def test_a_map_that_is_constant_where_pixels_count_is_constant():
    maps = torch.tensor([[[1.0, 1, 9]]])
    explained = batch(maps, torch.tensor([[[True, False, False]]]))
    assert PointingGame()(explained).values.tolist() == [0]
    ignore = torch.tensor([[[False, False, True]]])
    scores = PointingGame()(Explained(**{**vars(explained), "ignore": ignore}))
    assert scores.values.isnan().all()
    assert scores.reasons == [PointingGame.undefined]


@pytest.mark.parametrize("tolerance", [-1, 1.5, "15"])
def test_a_tolerance_that_is_none_is_refused(tolerance):
    with pytest.raises(ValueError, match="expected a whole number of pixels from 0"):
        PointingGame(tolerance)

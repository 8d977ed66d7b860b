"""Tests of the machinery of placement: hits among tied pixels, thresholds and counts."""

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heatmark.metrics.engine.placement import expected_hits, fraction_of, nth_largest


@given(st.lists(st.integers(-1, 1), min_size=5, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
def test_hits_are_the_mean_over_all_orders_of_equal_values(values, inside):
    relevance, masks = torch.tensor([[values]], dtype=torch.float64), torch.tensor([[inside]])
    orders = [sorted(order, key=lambda i: -values[i]) for order in permutations(range(5))]
    for count in range(1, 6):
        mean = sum(sum(inside[i] for i in order[:count]) for order in orders) / len(orders)
        assert expected_hits(relevance, masks, torch.tensor([count])).item() == pytest.approx(mean, abs=1e-12)


def test_nth_largest_of_each_map():
    maps = torch.tensor([[[3.0, 1], [2, 2]], [[0, -torch.inf], [5, 4]]])
    assert nth_largest(maps, torch.tensor([3, 2])).tolist() == [[[2.0]], [[4.0]]]


@pytest.mark.parametrize(("fraction", "count"), [(0.01, 1), (0.2, 2), (0.25, 2), (1 - 0.7, 3), (1 - 0.8, 2), (1.0, 10)])
def test_fractions_are_of_pixels_that_count(fraction, count):
    relevance = torch.zeros(1, 2, 6, dtype=torch.float64)
    relevance[0, 0, :2] = -torch.inf
    assert fraction_of(relevance, fraction).tolist() == [count]

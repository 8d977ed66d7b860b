"""Tests of the compression of maps and curves for the page."""

from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heatmark.benchmarks.report.maps import affordable_side, quantised, shrink, thinned


def restored(packed: dict, shape: tuple[int, ...]) -> np.ndarray:
    """Undo the quantisation as its docstring says."""
    levels = np.frombuffer(b64decode(packed["bytes"]), np.uint8).reshape(shape[0], -1).astype(float)
    low, high = (np.array(packed[name])[:, None] for name in ("low", "high"))
    values = low + levels / 254 * (high - low)
    return np.where(levels == 255, np.nan, values).reshape(shape)


@given(arrays(np.float64, (3, 4, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_a_value_is_restored_within_half_a_level_of_its_map(maps: np.ndarray) -> None:
    span = np.ptp(maps, axis=(1, 2))[:, None, None]
    largest = np.abs(maps).max(axis=(1, 2))[:, None, None]
    assert (np.abs(restored(quantised(maps), maps.shape) - maps) <= span / 508 + 1e-5 * largest + 1e-300).all()


def test_values_that_are_not_finite_have_a_byte_of_their_own() -> None:
    maps = np.array([[[0.0, np.nan], [np.inf, 2.0]], [[np.nan, np.nan], [np.nan, np.nan]]])
    packed = quantised(maps)
    assert (packed["low"], packed["high"]) == ([0.0, 0.0], [2.0, 0.0])
    np.testing.assert_array_equal(restored(packed, maps.shape)[0], [[0, np.nan], [np.nan, 2]])
    assert np.isnan(restored(packed, maps.shape)[1]).all()


def test_a_large_map_is_averaged_and_a_small_one_stays() -> None:
    maps = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    np.testing.assert_array_equal(shrink(maps, 2), [[[2.5, 4.5], [10.5, 12.5]]])
    assert shrink(maps, 4) is maps


@pytest.mark.parametrize(("budget", "side"), [(10**6, 32), (100 * 24 * 24, 24), (100 * 24 * 24 - 1, 20), (1, 8)])
def test_the_side_is_the_largest_that_the_budget_allows(budget: int, side: int) -> None:
    assert affordable_side([(100, 224, 224)], budget) == side


def test_thinned_curves_keep_both_ends() -> None:
    fractions, scores = np.linspace(0, 1, 225), np.tile(np.linspace(1, 0, 225), (2, 1))
    few, kept = thinned(fractions, scores)
    assert (len(few), few[0], few[-1]) == (40, 0, 1)
    np.testing.assert_allclose(kept[0], 1 - few)

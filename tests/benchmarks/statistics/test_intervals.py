"""Intervals: SciPy's, one column at a time; and their coverage."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from heatmark.benchmarks.statistics import intervals
from heatmark.benchmarks.statistics.effects import cohen_dz
from heatmark.benchmarks.statistics.intervals import RESAMPLES, bca


def alone(column: np.ndarray, seed: int) -> tuple[float, float]:
    interval = stats.bootstrap(
        (column,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(seed)
    ).confidence_interval
    return interval.low, interval.high


def test_every_column_has_scipys_interval_of_its_defined_values(rng: np.random.Generator) -> None:
    values = rng.exponential(size=(30, 4))
    values[[2, 7], 1] = values[7, 3] = np.nan
    low, high = bca(values, seed=5)
    for position, column in enumerate(values.T):
        assert (low[position], high[position]) == pytest.approx(alone(column[~np.isnan(column)], 5), rel=1e-12)


def test_batches_of_resamples_change_nothing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    values = rng.normal(size=(23, 3))
    whole = bca(values, seed=1)
    monkeypatch.setattr(intervals, "ELEMENTS_AT_ONCE", 23 * 3 * 7)
    np.testing.assert_allclose(bca(values, seed=1), whole, rtol=1e-12)


def test_no_interval_where_there_is_none() -> None:
    nan = np.nan
    values = np.array([[1.0, 2, nan, nan], [1, nan, nan, 3], [1, nan, nan, 4], [1, nan, nan, 6]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = bca(values, seed=0)
        assert bca(np.empty((0, 2)), seed=0).shape == (2, 2)
        assert bca(np.empty((5, 0)), seed=0).shape == (2, 0)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, True, True, False]
    assert 3 <= low[3] <= 13 / 3 <= high[3] <= 6


@pytest.mark.parametrize(
    ("draw", "mean"),
    [(lambda rng, size: rng.normal(0.3, 0.2, size), 0.3), (lambda rng, size: rng.beta(1, 3, size), 0.25)],
    ids=["normal", "skewed"],
)
def test_coverage_is_nominal(rng: np.random.Generator, draw, mean: float) -> None:
    low, high = bca(draw(rng, (60, 1500)), seed=0)
    assert 0.93 <= ((low <= mean) & (mean <= high)).mean() <= 0.97


def test_coverage_of_an_effect_size(rng: np.random.Generator) -> None:
    low, high = bca(rng.normal(0.5, 1.0, (60, 1000)), 0, cohen_dz)
    assert 0.93 <= ((low <= 0.5) & (high >= 0.5)).mean() <= 0.97


@settings(max_examples=15)
@given(
    st.lists(st.integers(-1000, 1000), min_size=4, max_size=12, unique=True),
    st.integers(-50, 50),
    st.sampled_from([0.5, 2.0, 8.0]),
)
def test_intervals_move_and_scale_with_the_values(whole: list[int], shift: int, scale: float) -> None:
    values = np.array(whole, dtype=float)[:, None]
    np.testing.assert_allclose(
        bca(values * scale + shift, 3), bca(values, 3) * scale + shift, rtol=1e-9, atol=1e-9 * scale * 1000
    )

"""Effect sizes by hand, against SciPy's rank sums, and the coverage of their intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heatmark.benchmarks.statistics.effects import cohen_dz, rank_biserial


def test_cohen_dz_by_hand() -> None:
    assert cohen_dz(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)


def test_rank_biserial_by_hand() -> None:
    # |d| ranks 1, 2.5, 2.5, 4 (the zero is left out): R⁺ = 1 + 2.5 + 4, R⁻ = 2.5
    r, low, high = rank_biserial(np.array([[0.1], [0.2], [-0.2], [0.0], [0.4], [np.nan]]))[:, 0]
    assert r == pytest.approx(5 / 10)
    assert -1 < low < r < high < 1


@given(st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=30))
def test_rank_biserial_is_that_of_the_signed_rank_sums(d: list[float]) -> None:
    differences = np.array(d)
    nonzero = differences[differences != 0]
    r = rank_biserial(differences[:, None])[0, 0]
    if len(nonzero):
        ranks = stats.rankdata(np.abs(nonzero))
        assert r == pytest.approx((ranks * np.sign(nonzero)).sum() / ranks.sum(), abs=1e-12)
        assert rank_biserial(-differences[:, None])[0, 0] == pytest.approx(-r)
    else:
        assert np.isnan(r)


def test_rank_biserial_of_one_sign_has_no_bounds() -> None:
    result = rank_biserial(np.array([[0.1, np.nan], [0.2, np.nan], [0.3, np.nan]]))
    assert result[0, 0] == 1
    assert np.isnan(result[1:, 0]).all()
    assert np.isnan(result[:, 1]).all()


def test_coverage_of_rank_biserial(rng: np.random.Generator) -> None:
    truth = 2 * stats.norm.cdf(np.sqrt(2) * 0.4) - 1  # d₁ + d₂ ~ N(0.8, 2)
    _, low, high = rank_biserial(rng.normal(0.4, 1, size=(80, 2000)))
    assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.97

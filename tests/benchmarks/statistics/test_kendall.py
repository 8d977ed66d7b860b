"""Kendall's W by hand, its exact p-values as published, and judges that are not independent."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heatmark.benchmarks.statistics import kendall
from heatmark.benchmarks.statistics.kendall import kendall_w


def frame(rows: list[list[float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list("abcdefgh"[: len(rows[0])]))


def test_by_hand() -> None:
    # ranks 1 2 3, 1 2 3, 2 1 3: sums 4 5 9, mean 6, S = 14; W = 12·14 / (9·24)
    found = kendall_w(frame([[3, 2, 1], [3, 2, 1], [2, 3, 1]]))
    assert found.w == pytest.approx(168 / 216)
    assert (found.n_judges, found.n_methods, found.left_out) == (3, 3, ())


def test_one_order_is_one_and_opposite_orders_are_zero() -> None:
    assert kendall_w(frame([[3, 2, 1], [30, 20, 10]])).w == pytest.approx(1)
    assert kendall_w(frame([[3, 2, 1], [1, 2, 3]])).w == 0


def test_a_method_that_a_judge_has_not_seen_is_left_out() -> None:
    found = kendall_w(frame([[3, 2, 1, np.nan], [3, 2, 1, 5]]))
    assert (found.w, found.n_methods, found.left_out) == (pytest.approx(1), 3, ("d",))


@given(st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=2, max_size=4))
def test_it_is_friedmans_statistic_with_ties(rows: list[list[int]]) -> None:
    found = kendall_w(frame(rows), ["one model"] * len(rows))
    if all(len(set(row)) == 1 for row in rows):
        assert np.isnan(found.w)
        return
    friedman = stats.friedmanchisquare(*np.array(rows).T)
    assert len(rows) * 3 * found.w == pytest.approx(friedman.statistic)
    assert -1e-12 <= found.w <= 1 + 1e-12


def test_rounding_is_a_tie_in_each_judges_own_unit() -> None:
    exact, rounded = frame([[0.3, 0.3, 0.1], [3e-9, 1e-9, 2e-9]]), frame([[0.1 + 0.2, 0.3, 0.1], [3e-9, 1e-9, 2e-9]])
    assert kendall_w(rounded) == kendall_w(exact)
    # ranks 1.5 1.5 3 and 1 3 2: sums 2.5 4.5 5, S = 3.5; W = 12·3.5 / (4·24 − 2·6)
    assert kendall_w(exact).w == pytest.approx(0.5)


def test_too_little_to_agree_on() -> None:
    assert np.isnan(kendall_w(frame([[3, 2, 1]])).w)
    assert np.isnan(kendall_w(frame([[3], [1]])).w)
    assert np.isnan(kendall_w(frame([[1, 1], [1, 1]])).w)


def test_two_judges_that_agree_on_six_methods() -> None:
    found = kendall_w(frame([[6, 5, 4, 3, 2, 1], [60, 50, 40, 30, 20, 10]]))
    assert found.p_value == pytest.approx(1 / 720, rel=1e-12)  # the χ² of 10 would say .075
    assert (found.p_error, found.permutations) == (0, 720)


@pytest.mark.parametrize(
    ("rows", "chi2", "p"),
    [
        # Friedman (1937), as in Siegel, Nonparametric Statistics (1956), table N: k = 3 with N = 3 and 4, k = 4
        ([[3, 2, 1], [3, 2, 1], [3, 2, 1]], 6.0, 0.028),
        ([[3, 2, 1], [3, 2, 1], [2, 3, 1]], 4.667, 0.194),
        ([[3, 2, 1], [3, 2, 1], [3, 2, 1], [2, 3, 1]], 6.5, 0.042),
        ([[3, 2, 1], [3, 2, 1], [3, 2, 1], [3, 2, 1]], 8.0, 0.0046),
        ([[4, 3, 2, 1], [4, 3, 2, 1]], 6.0, 0.042),
        ([[4, 3, 2, 1], [4, 3, 2, 1], [4, 3, 2, 1]], 9.0, 0.0017),
    ],
)
def test_exact_p_values_are_the_published_ones(rows: list[list[int]], chi2: float, p: float) -> None:
    found = kendall_w(frame(rows))
    assert len(rows) * (len(rows[0]) - 1) * found.w == pytest.approx(chi2, abs=5e-4)
    assert found.p_value == pytest.approx(p, abs=5e-4 if p > 0.01 else 5e-5)


def test_with_ties_it_is_the_share_of_all_arrangements() -> None:
    rows = [[3, 3, 1, 0], [2, 2, 2, 1], [4, 1, 3, 2]]
    every = [np.array(order) for order in permutations(range(4))]
    ranks = stats.rankdata(-np.array(rows), axis=1)
    spread = [np.var(sum(rank[order] for rank, order in zip(ranks, orders, strict=True)))
              for orders in product(every, repeat=3)]  # fmt: skip
    expected = np.mean(np.array(spread) >= np.var(ranks.sum(axis=0)) - 1e-9)
    assert kendall_w(frame(rows)).p_value == pytest.approx(expected, rel=1e-12)


def test_judges_of_one_model_are_permuted_together() -> None:
    agree = frame([[4, 3, 2, 1]] * 4)
    assert kendall_w(agree).p_value == pytest.approx(1 / 24**3)
    found = kendall_w(agree, ["m", "m", "n", "n"])
    assert (found.w, found.n_judges, found.n_independent) == (pytest.approx(1), 4, 2)
    assert found.p_value == pytest.approx(1 / 24)  # twice the same model is no second opinion
    alone = kendall_w(agree, ["m"] * 4)
    assert (alone.w, alone.n_independent, alone.permutations) == (pytest.approx(1), 1, 0)
    assert np.isnan(alone.p_value)
    assert np.isnan(alone.p_error)


def test_drawn_arrangements_come_near_the_exact_p_and_say_how_near(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame([[5, 4, 3, 2, 1], [4, 5, 3, 1, 2], [5, 3, 4, 1, 2]])
    exact = kendall_w(rows)
    monkeypatch.setattr(kendall, "EXACT", 0)
    drawn = kendall_w(rows, seed=3)
    assert exact.permutations == 120**2
    assert drawn.permutations == kendall.DRAWN
    assert drawn.p_error == pytest.approx(np.sqrt(drawn.p_value * (1 - drawn.p_value) / 10_000))
    assert abs(drawn.p_value - exact.p_value) < 4 * drawn.p_error
    assert drawn == kendall_w(rows, seed=3)
    assert kendall_w(frame([[8, 7, 6, 5, 4, 3, 2, 1]] * 3)).p_value == 1 / 10_000  # never 0


def test_p_values_are_uniform_where_judges_are_random(rng: np.random.Generator) -> None:
    p_values = np.array([kendall_w(pd.DataFrame(rng.random((3, 4)))).p_value for _ in range(400)])
    assert (p_values <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert (p_values <= 0.5).mean() == pytest.approx(0.5, abs=0.1)

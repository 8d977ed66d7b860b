"""Friedman and Nemenyi against SciPy, scikit-posthocs and Demšar's own numbers."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heatmark.benchmarks.statistics.friedman import cliques, comparable, critical_difference, friedman


def frame(scores: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(scores, columns=list("abcdefghij"[: scores.shape[1]]))


@pytest.fixture
def scores(rng: np.random.Generator) -> pd.DataFrame:
    return frame(rng.normal(size=(40, 5)) + np.array([0.0, 0.1, 0.8, 0.9, 2.0]))


def test_friedman_is_scipys(scores: pd.DataFrame) -> None:
    found, expected = critical_difference(scores), stats.friedmanchisquare(*scores.to_numpy().T)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_critical_values_of_demsar() -> None:
    # table 5(a): q₀.₀₅ = 2.569 for four classifiers; his example: CD = 2.569 √(4·5 / (6·14)) = 1.25
    found = critical_difference(frame(np.arange(56.0).reshape(14, 4)))
    assert found.difference == pytest.approx(1.25, abs=0.005)
    assert found.mean_ranks.to_dict() == {"d": 1, "c": 2, "b": 3, "a": 4}


def test_nemenyi_is_that_of_scikit_posthocs(scores: pd.DataFrame) -> None:
    posthocs = pytest.importorskip("scikit_posthocs", reason="the library is not installed")
    found = critical_difference(scores.round(1))  # rounded, so that there are ties
    library = posthocs.posthoc_nemenyi_friedman(-scores.round(1))
    order = found.mean_ranks.index
    np.testing.assert_allclose(found.p_values, library.loc[order, order], atol=1e-10)


def test_p_values_and_difference_say_the_same(scores: pd.DataFrame) -> None:
    found = critical_difference(scores)
    gaps = np.abs(np.subtract.outer(found.mean_ranks.to_numpy(), found.mean_ranks.to_numpy()))
    assert ((found.p_values < 0.05) == (gaps > found.difference)).all(axis=None)
    assert (found.p_values > 0.05).any(axis=None)


def test_undefined_blocks_are_dropped_and_counted(scores: pd.DataFrame) -> None:
    holed = scores.copy()
    holed.iloc[3, 1] = holed.iloc[9, 0] = np.nan
    found, without = critical_difference(holed), critical_difference(scores.drop(index=[3, 9]))
    assert (found.n_blocks, found.dropped) == (38, 2)
    pd.testing.assert_series_equal(found.mean_ranks, without.mean_ranks)


def test_a_method_without_any_score_is_left_out_and_named(scores: pd.DataFrame) -> None:
    holed = scores.assign(b=np.nan)
    found, without = critical_difference(holed), critical_difference(scores.drop(columns="b"))
    assert (found.left_out, without.left_out) == (("b",), ())
    assert (found.n_blocks, found.dropped) == (40, 0)
    pd.testing.assert_series_equal(found.mean_ranks, without.mean_ranks)
    assert (found.statistic, found.difference) == (without.statistic, without.difference)
    assert comparable(holed)
    assert not comparable(scores.assign(b=np.nan)[["a", "b"]])
    assert not comparable(scores.iloc[:1])


def test_rounding_is_no_win(rng: np.random.Generator) -> None:
    base = rng.uniform(size=30)
    noise = np.array([0, 1, 2, 3]) * 1e-17 * np.ones((30, 1))
    found = critical_difference(frame(base[:, None] / 1e10 + 1 + noise + np.array([0, 1e-12, 2e-12, 3e-12])))
    assert found.mean_ranks.tolist() == [2.5] * 4
    assert np.isnan(found.p_value)
    # a millionth is more than rounding
    apart = critical_difference(frame(base[:, None] + np.array([0, 1e-6, 2e-6])))
    assert apart.mean_ranks.tolist() == [1, 2, 3]


def test_groups_by_hand() -> None:
    assert cliques(np.array([1.0, 1.5, 2.4, 4.0]), 1.0) == [slice(0, 2), slice(1, 3)]
    assert cliques(np.array([1.0, 3.0]), 1.0) == []


@given(st.lists(st.integers(0, 40), min_size=2, max_size=9).map(sorted), st.integers(1, 20))
def test_groups_are_all_largest_runs(ranks: list[int], difference: int) -> None:
    runs = [set(range(i, j + 1)) for i, j in combinations(range(len(ranks)), 2) if ranks[j] - ranks[i] <= difference]
    largest = [run for run in runs if not any(run < other for other in runs)]
    found = cliques(np.array(ranks, dtype=float), float(difference))
    assert [set(range(run.start, run.stop)) for run in found] == largest


def test_two_methods_and_fewer() -> None:
    found = critical_difference(frame(np.array([[1.0, 0], [1, 0], [0, 1]])))
    assert np.isnan(found.p_value)
    assert found.groups == (("a", "b"),)
    with pytest.raises(ValueError, match="1 methods with 2 blocks"):
        critical_difference(frame(np.ones((2, 1))))


def test_all_tied_is_no_finding() -> None:
    found = critical_difference(frame(np.ones((5, 3))))
    assert np.isnan(found.p_value)
    assert found.groups == (("a", "b", "c"),)


def test_a_run_has_one_row_a_board(results: Callable[..., pd.DataFrame], rng: np.random.Generator) -> None:
    scores = rng.random((12, 3))
    table = friedman(results({name: list(scores[:, i]) for i, name in enumerate(("a", "b", "c"))}))
    (row,) = table.to_dict("records")
    expected = stats.friedmanchisquare(*scores.T)
    assert row["statistic"] == pytest.approx(expected.statistic)
    assert row["p_value"] == pytest.approx(expected.pvalue)
    assert row["critical_difference"] == pytest.approx(2.3437 * np.sqrt(3 * 4 / (6 * 12)), rel=1e-4)
    assert (row["n_methods"], row["n_blocks"], row["dropped"], row["metric"]) == (3, 12, 0, "insertion")
    assert row["left_out"] == ""
    assert friedman(results({"a": [1.0, 2.0]})).empty


def test_a_run_says_which_method_is_undefined_everywhere(results: Callable[..., pd.DataFrame]) -> None:
    values = {"a": [1.0, 2, 3], "b": [3.0, 1, 2], "gone": [np.nan] * 3, "none": [np.nan] * 3}
    (row,) = friedman(results(values)).to_dict("records")
    assert (row["n_methods"], row["n_blocks"], row["left_out"]) == (2, 3, "gone, none")
    assert friedman(results({"a": [1.0, 2, 3], "gone": [np.nan] * 3})).empty


def test_a_groups_means_are_one_block(results: Callable[..., pd.DataFrame], rng: np.random.Generator) -> None:
    scores = rng.random((12, 3))
    frame = results({name: list(scores[:, i]) for i, name in enumerate(("a", "b", "c"))})
    (row,) = friedman(frame.assign(group=[f"g{i // 2}" for i in range(12)] * 3)).to_dict("records")
    expected = stats.friedmanchisquare(*scores.reshape(6, 2, 3).mean(axis=1).T)
    assert (row["n_blocks"], row["unit"]) == (6, "groups")
    assert row["statistic"] == pytest.approx(expected.statistic)
    assert row["hypothesis"] == "on a group of images every order of the methods' mean scores is equally likely"


def test_holms_family_is_the_table(results: Callable[..., pd.DataFrame], rng: np.random.Generator) -> None:
    frames = [results({name: rng.random(9) + shift * (name == "a") for name in "abc"}, model=model)
              for model, shift in (("m", 1.0), ("n", 0.0))]  # fmt: skip
    table = friedman(pd.concat(frames)).set_index("model")
    assert set(table["n_family"]) == {2}
    assert table.loc["m", "p_holm_family"] == pytest.approx(2 * table.loc["m", "p_value"])
    assert table["hypothesis"].unique().tolist() == ["on an image every order of the methods is equally likely"]

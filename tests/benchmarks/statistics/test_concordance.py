"""Kendall's W by hand and as Friedman's statistic; judges made from results."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.columns import DIGESTS
from benchmarks.statistics.concordance import concordance, judges, kendall_w


def frame(rows: list[list[float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list("abcdefgh"[: len(rows[0])]))


def test_by_hand() -> None:
    # ranks 1 2 3, 1 2 3, 2 1 3: sums 4 5 9, mean 6, S = 14; W = 12·14 / (9·24)
    found = kendall_w(frame([[3, 2, 1], [3, 2, 1], [2, 3, 1]]))
    assert found.w == pytest.approx(168 / 216)
    assert found.statistic == pytest.approx(3 * 2 * 168 / 216)
    assert (found.n_judges, found.n_methods, found.left_out) == (3, 3, ())


def test_one_order_is_one_and_opposite_orders_are_zero() -> None:
    assert kendall_w(frame([[3, 2, 1], [30, 20, 10]])).w == pytest.approx(1)
    assert kendall_w(frame([[3, 2, 1], [1, 2, 3]])).w == 0


def test_a_method_that_a_judge_has_not_seen_is_left_out() -> None:
    found = kendall_w(frame([[3, 2, 1, np.nan], [3, 2, 1, 5]]))
    assert (found.w, found.n_methods, found.left_out) == (pytest.approx(1), 3, ("d",))


@given(st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=2, max_size=6))
def test_it_is_friedmans_statistic_with_ties(rows: list[list[int]]) -> None:
    found = kendall_w(frame(rows))
    if all(len(set(row)) == 1 for row in rows):
        assert np.isnan(found.w)
        return
    friedman = stats.friedmanchisquare(*np.array(rows).T)
    assert found.statistic == pytest.approx(friedman.statistic)
    assert found.p_value == pytest.approx(friedman.pvalue)
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


@pytest.fixture
def two_models(results) -> pd.DataFrame:
    """On one model HiResCAM repeats Grad-CAM, on the other not; an adapter repeats Grad-CAM on both."""
    low = {"metric": "deletion", "definition": "deletion:rise-2018", "higher_is_better": False}
    gap = {"grad_cam": [0.5, 0.7], "hires_cam": [0.5, 0.7], "pgc_grad_cam": [0.5, 0.7], "layer_cam": [0.3, 0.2]}
    mlp = {"grad_cam": [0.5, 0.7], "hires_cam": [0.6, 0.9], "pgc_grad_cam": [0.5, 0.7], "layer_cam": [0.3, 0.2]}
    random = {("input", "random"): [0.1, 0.15]}
    return pd.concat(
        [
            results(gap | random, model="resnet"),
            results(mlp | random, model="vgg"),
            results({("a", "grad_cam"): [0.1, 0.2], ("b", "grad_cam"): [0.3, 0.1]} | random, model="vgg", **low),
        ],
        ignore_index=True,
    )


def test_judges_are_boards_at_a_layer(two_models: pd.DataFrame) -> None:
    table = judges(two_models)
    same = ["dataset", "target_rule", "weights", "device", "precision", "definition", *DIGESTS]
    assert table.index.droplevel(same).tolist() == [
        ("resnet", "insertion", "last"), ("vgg", "deletion", "a"), ("vgg", "deletion", "b"),
        ("vgg", "insertion", "last"),
    ]  # fmt: skip
    assert table.columns.tolist() == ["grad_cam", "hires_cam", "layer_cam", "random"]
    np.testing.assert_allclose(
        table.to_numpy(),
        [
            [0.6, 0.6, 0.25, 0.125],
            [-0.15, np.nan, np.nan, -0.125],
            [-0.2, np.nan, np.nan, -0.125],
            [0.6, 0.75, 0.25, 0.125],
        ],
    )


def test_concordance_rows(two_models: pd.DataFrame) -> None:
    table = concordance(two_models).set_index(["across", "definition"])
    assert table.index.tolist() == [
        ("models", "deletion:rise-2018"), ("models", "insertion:rise-2018"), ("models and metrics", "")
    ]  # fmt: skip
    models = table.loc[("models", "insertion:rise-2018")]
    # ranks 1.5 1.5 3 4 and 2 1 3 4: sums 3.5 2.5 6 8, S = 18.5; W = 12·18.5 / (4·60 − 2·6)
    assert models["w"] == pytest.approx(222 / 228)
    assert (models["model"], models["n_judges"], models["n_methods"]) == ("", 2, 4)
    assert table.loc[("models and metrics", ""), "left_out"] == "hires_cam, layer_cam"


def test_nothing_scored(results) -> None:
    assert concordance(results({"grad_cam": [1.0]}, metric="")).empty

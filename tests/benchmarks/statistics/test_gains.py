"""Gains over the random control, paired by image and class."""

import numpy as np
import pytest

from heatmark.benchmarks.statistics.comparisons import comparisons
from heatmark.benchmarks.statistics.gains import gains
from heatmark.benchmarks.statistics.intervals import bca
from heatmark.benchmarks.statistics.leaderboard import leaderboard

VALUES = {"a": [0.5, 0.9, np.nan, 0.4], "random": [0.1, np.nan, 0.3, 0.2]}


def test_a_gain_is_over_the_images_where_both_are_defined(results) -> None:
    (comparison,) = comparisons(results(VALUES | {"b": [0.2, 0.2, 0.6, 0.1]}))
    found = gains(comparison).join(comparison.methods["method"]).set_index("method")
    assert found["gain"].to_dict() == pytest.approx({"a": 0.3, "b": 0.1, "random": np.nan}, nan_ok=True)
    assert found["n_gain"].to_dict() == {"a": 2, "b": 3, "random": 0}
    low, high = bca(np.array([[0.1], [0.3], [-0.1]]), comparison.seed)[:, 0]
    assert found.loc["b", ["gain_low", "gain_high"]].tolist() == [low, high]


def test_a_gain_is_positive_where_lower_is_better_and_lower(results) -> None:
    table = leaderboard(results(VALUES, higher_is_better=False)).set_index("method")
    assert table.loc["a", "gain"] == pytest.approx(-0.3)


def test_without_the_control_or_a_direction_there_is_no_gain(results) -> None:
    for frame in (results({"a": [0.5, 0.9]}), results(VALUES).assign(higher_is_better=None)):
        table = leaderboard(frame.astype({"higher_is_better": "boolean"}))
        assert table[["gain", "gain_low", "gain_high"]].isna().all(axis=None)
        assert (table["n_gain"] == 0).all()


def test_several_sets_of_options_of_the_control_are_averaged(results) -> None:
    frame = results({"a": [0.5, 0.9], "random seed=0": [0.1, 0.2], "random seed=1": [0.3, 0.2]})
    table = leaderboard(frame).set_index("method")
    assert table["gain"].to_dict() == pytest.approx(
        {"a": 0.5, "random seed=0": np.nan, "random seed=1": np.nan}, nan_ok=True
    )

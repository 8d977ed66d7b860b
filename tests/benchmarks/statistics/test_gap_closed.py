"""Gaps closed between random maps and the best map at hand."""

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.statistics.gap_closed import gap_closed

VALUES = {
    "a": [0.5, 0.7, np.nan, 0.4],
    "random": [0.1, 0.3, 0.3, 0.2],
    "greedy_deletion": [0.9, 0.7, 0.9, 0.6],
}


def shares(table: pd.DataFrame) -> dict[str, float]:
    return dict(zip(table["method"], table["gap_closed"], strict=True))


def test_shares_by_hand_over_the_images_where_all_are_defined(results) -> None:
    table = gap_closed(results(VALUES))
    assert shares(table) == pytest.approx({"greedy_deletion": 1.0, "a": (0.4 + 0.4 + 0.2) / (0.8 + 0.4 + 0.4)})
    assert table["n"].tolist() == [3, 3]
    assert table["ceiling"].tolist() == ["greedy_deletion"] * 2
    row = table.set_index("method").loc["a"]
    assert row["low"] <= row["gap_closed"] <= row["high"]
    assert table.set_index("method").loc["greedy_deletion", ["low", "high"]].isna().all()


def test_a_lower_score_closes_the_gap_where_lower_is_better(results) -> None:
    table = gap_closed(results({name: [1 - v for v in each] for name, each in VALUES.items()}, higher_is_better=False))
    assert shares(table) == pytest.approx({"greedy_deletion": 1.0, "a": 0.625})


def test_a_method_that_is_better_than_the_searched_map_is_the_ceiling(results) -> None:
    table = gap_closed(results({"a": [0.9, 0.9], "random": [0.1, 0.1], "greedy_insertion": [0.2, 0.4]}))
    assert shares(table) == pytest.approx({"a": 1.0, "greedy_insertion": 0.25})
    assert set(table["ceiling"]) == {"a"}


def test_random_is_the_mean_of_its_cells(results) -> None:
    frame = results({"a": [0.5], "random seed=0": [0.0], "random seed=1": [0.2], "greedy_deletion": [0.9]})
    assert shares(gap_closed(frame)) == pytest.approx({"greedy_deletion": 1.0, "a": 0.5})


def test_without_a_ceiling_that_separates_there_is_no_share(results) -> None:
    table = gap_closed(results({"a": [0.1, 0.2, 0.1], "random": [0.2, 0.3, 0.2], "greedy_deletion": [0.0, 0.2, 0.1]}))
    assert table["gap_closed"].isna().all()


@pytest.mark.parametrize("lacks", ["random", "greedy_deletion"])
def test_without_control_or_searched_map_there_is_no_row(results, lacks: str) -> None:
    assert gap_closed(results({name: each for name, each in VALUES.items() if name != lacks})).empty
    assert gap_closed(results(VALUES).assign(higher_is_better=None).astype({"higher_is_better": "boolean"})).empty

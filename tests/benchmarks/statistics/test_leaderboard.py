"""The leaderboard, cell by cell."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.statistics.boards import boards
from benchmarks.statistics.intervals import bca
from benchmarks.statistics.leaderboard import COLUMNS, leaderboard

VALUES = {
    "grad_cam": [0.5, 0.7, 0.6, 0.4],
    "hires_cam": [0.5, 0.7, 0.6, 0.4],
    "layer_cam": [0.8, 0.9, np.nan, 0.85],
    ("input", "random"): [0.1, 0.2, 0.3, 0.2],
}


def test_rows_by_hand(results) -> None:
    table = leaderboard(results(VALUES))
    assert table.columns.tolist() == COLUMNS
    assert table["method"].tolist() == ["layer_cam", "grad_cam", "hires_cam", "random"]
    assert table["rank"].tolist() == [1, 2, 2, 3]
    assert table["mean"].tolist() == pytest.approx([0.85, 0.55, 0.55, 0.2])
    assert table["n"].tolist() == [3, 4, 4, 4]
    assert table["undefined"].tolist() == [1, 0, 0, 0]
    assert table["n_ranked"].tolist() == [3] * 4
    assert table["same_as"].tolist() == ["", "", "grad_cam", ""]
    assert table[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 1], [2, 2], [2, 2], [3, 3]]


def test_the_best_of_a_lower_is_better_metric_is_the_least(results) -> None:
    table = leaderboard(results(VALUES, higher_is_better=False))
    assert table["method"].tolist() == ["random", "grad_cam", "hires_cam", "layer_cam"]
    assert table["mean"].iloc[0] == pytest.approx(0.2)


def test_intervals_do_not_depend_on_other_rows(results) -> None:
    whole = leaderboard(results(VALUES)).set_index("method")
    alone = leaderboard(results({"grad_cam": VALUES["grad_cam"]})).iloc[0]
    assert (alone["ci_low"], alone["ci_high"]) == tuple(whole.loc["grad_cam", ["ci_low", "ci_high"]])
    (board,) = boards(results({"grad_cam": VALUES["grad_cam"]}))
    assert (alone["ci_low"], alone["ci_high"]) == tuple(bca(board.array(), board.seed)[:, 0])


def test_a_method_without_a_value_has_no_rank(results) -> None:
    table = leaderboard(results(VALUES | {"score_cam": [np.nan] * 4})).set_index("method")
    assert table.loc["score_cam", ["mean", "ci_low", "rank"]].isna().all()
    assert table.loc["layer_cam", "rank"] == 1


def test_boards_do_not_mix(results) -> None:
    both = pd.concat([results(VALUES, model="m"), results(VALUES, model="n")])
    table = leaderboard(both)
    assert len(table) == 8
    assert table.groupby("model")["rank"].max().tolist() == [3, 3]
    assert leaderboard(both.iloc[:0]).columns.tolist() == COLUMNS

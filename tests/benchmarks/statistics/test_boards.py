"""Boards keep apart what may not be mixed."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.statistics.boards import boards

VALUES = {"grad_cam": [0.5, 0.7, 0.6], "random": [0.2, 0.1, np.nan]}


@pytest.mark.parametrize("fact", ["dataset", "target_rule", "model", "weights", "device", "precision", "definition"])
def test_another_fact_is_another_board(results, fact: str) -> None:
    first, second = results(VALUES), results(VALUES, **{fact: "zzz"})
    second["trial"] = second["trial"] + "z" if fact != "definition" else second["trial"]
    found = list(boards(pd.concat([first, second])))
    assert len(found) == 2
    assert found[1].facts[fact] == "zzz"
    assert found[0].seed != found[1].seed
    assert [board.values.shape for board in found] == [(3, 2), (3, 2)]


def test_scores_point_upwards(results) -> None:
    (board,) = boards(results(VALUES, higher_is_better=False))
    np.testing.assert_array_equal(board.scores["grad_cam"], [-0.5, -0.7, -0.6])
    np.testing.assert_array_equal(board.values["net-last-random"], [0.2, 0.1, np.nan])


def test_other_images_are_another_board(results) -> None:
    found = list(boards(results({"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [1.0, 2.0, 3.0]})))
    assert [board.entrants["label"].tolist() for board in found] == [["a", "b"], ["c"]]


def test_labels_say_as_much_as_is_needed(results) -> None:
    values = {("x", "a"): [1.0, 2.0], ("y", "a"): [2.0, 1.0], ("x", "b"): [2.0, 5.0]}
    twin = results({("x", "a"): [4.0, 5.0]}).assign(trial="0123456789")
    (board,) = boards(pd.concat([results(values), twin]))
    assert sorted(board.entrants["label"]) == ["a @ x 01234567", "a @ x net-x-a", "a @ y", "b"]


def test_repeats_are_marked_and_skips_stand_on_no_board(results) -> None:
    table = results({"grad_cam": [0.5, 0.7], "hires_cam": [0.5, 0.7]})
    skipped = results({"score_cam": [np.nan]}, metric="", status="skipped")
    (board,) = boards(pd.concat([table, skipped]))
    assert board.entrants["same_as"].tolist() == ["", "net-last-grad_cam"]
    assert board.scores.columns.tolist() == ["grad_cam"]


def test_flags_are_counted(results) -> None:
    table = results(VALUES)
    table.loc[table["image"] == "001", "status"] = "degenerate"
    (board,) = boards(table)
    assert board.entrants["flagged"].tolist() == [1, 1]

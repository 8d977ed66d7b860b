"""Comparisons keep apart what may not be mixed."""

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.statistics.comparisons import comparisons

VALUES = {"grad_cam": [0.5, 0.7, 0.6], "random": [0.2, 0.1, np.nan]}


@pytest.mark.parametrize(
    "fact",
    [
        "dataset",
        "target_rule",
        "model",
        "weights",
        "weights_digest",
        "images_digest",
        "device",
        "precision",
        "definition",
    ],
)
def test_another_fact_is_another_board(results, fact: str) -> None:
    first, second = results(VALUES), results(VALUES, **{fact: "zzz"})
    second["cell"] = second["cell"] + "z" if fact != "definition" else second["cell"]
    found = list(comparisons(pd.concat([first, second])))
    assert len(found) == 2
    assert found[1].facts[fact] == "zzz"
    assert found[0].seed != found[1].seed
    assert [comparison.values.shape for comparison in found] == [(3, 2), (3, 2)]


def test_scores_point_upwards(results) -> None:
    (comparison,) = comparisons(results(VALUES, higher_is_better=False))
    np.testing.assert_array_equal(comparison.scores["grad_cam"], [-0.5, -0.7, -0.6])
    np.testing.assert_array_equal(comparison.values["net-last-random"], [0.2, 0.1, np.nan])


def test_other_images_are_another_board(results) -> None:
    found = list(comparisons(results({"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [1.0, 2.0, 3.0]})))
    assert [comparison.methods["label"].tolist() for comparison in found] == [["a", "b"], ["c"]]


def test_other_groups_are_another_board(results) -> None:
    before = results(VALUES)
    after = before.assign(cell="a" + before["cell"], group=before["image"].map(lambda name: f"p{int(name) // 2}"))
    for runs in ([before, after], [after, before]):
        found = {comparison.unit: comparison for comparison in comparisons(pd.concat(runs))}
        assert sorted(found) == ["groups", "images"]
        assert found["groups"].groups.tolist() == [0, 0, 1]
        assert found["images"].groups.tolist() == [0, 1, 2]


def test_labels_say_as_much_as_is_needed(results) -> None:
    values = {("x", "a"): [1.0, 2.0], ("y", "a"): [2.0, 1.0], ("x", "b"): [2.0, 5.0]}
    twin = results({("x", "a"): [4.0, 5.0]}).assign(cell="0123456789")
    (comparison,) = comparisons(pd.concat([results(values), twin]))
    assert sorted(comparison.methods["label"]) == ["a @ x 01234567", "a @ x net-x-a", "a @ y", "b"]


def test_repeats_are_marked_and_skips_stand_on_no_board(results, repeating) -> None:
    table = repeating(results({"grad_cam": [0.5, 0.7], "hires_cam": [0.5, 0.6]}), {"hires_cam": "grad_cam"})
    skipped = results({"score_cam": [np.nan]}, metric="", status="skipped")
    (comparison,) = comparisons(pd.concat([table, skipped]))
    assert comparison.methods["same_as"].tolist() == ["", "net-last-grad_cam"]
    assert comparison.scores.columns.tolist() == ["grad_cam"]
    assert comparison.methods["maps_compared"].tolist() == [True, True]


def test_equal_scores_are_no_repeat_and_without_maps_nothing_is_known(results) -> None:
    (comparison,) = comparisons(results({"grad_cam": [0.5, 0.7], "hires_cam": [0.5, 0.7]}))
    assert comparison.methods["same_as"].tolist() == ["", ""]
    assert comparison.methods["maps_compared"].tolist() == [False, False]


def test_one_that_repeats_an_absent_method_is_stood_for_by_the_next(results) -> None:
    table = results({"hires_cam": [0.5, 0.7], "pgc_grad_cam": [0.5, 0.7]}).assign(map_of="net-last-grad_cam")
    (comparison,) = comparisons(table)
    assert comparison.methods["same_as"].tolist() == ["", "net-last-hires_cam"]


def test_groups_are_numbered_and_an_image_without_one_is_its_own(results) -> None:
    (alone,) = comparisons(results({"a": [1.0, 2.0, 3.0, 4.0]}))
    assert (alone.unit, alone.groups.tolist()) == ("images", [0, 1, 2, 3])
    table = results({"a": [1.0, 2.0, 3.0, 4.0]})
    (comparison,) = comparisons(table.assign(group=table["image"].map({"001": "p", "003": "p"}).fillna("")))
    assert (comparison.unit, comparison.groups.tolist()) == ("groups", [0, 1, 2, 1])


def test_blocks_of_groups_are_means_over_images_that_all_methods_share(results) -> None:
    nan = np.nan
    table = results({"a": [1.0, 3, 5, 9], "b": [0.0, 2, nan, 4], "gone": [nan] * 4})
    (comparison,) = comparisons(table.assign(group=["p", "p", "q", "q"] * 3))
    assert comparison.blocks["a"].tolist() == [2.0, 9.0]
    assert comparison.blocks["b"].tolist() == [1.0, 4.0]
    (ungrouped,) = comparisons(table)
    pd.testing.assert_frame_equal(ungrouped.blocks, ungrouped.scores)


def test_scores_without_flagged_maps(results) -> None:
    table = results({"a": [1.0, 2, 3, 4], "b": [5.0, 6, 7, 8]})
    flagged = (table["method"] == "a") & (table["image"] == "000") | (table["method"] == "b") & (
        table["image"] != "000"
    )
    (comparison,) = comparisons(table.assign(status=np.where(flagged, "degenerate", "ok")))
    np.testing.assert_array_equal(comparison.sound["a"], [np.nan, 2, 3, 4])
    assert comparison.sound["b"].isna().all()  # flagged on most images: it ranks nothing


def test_flags_are_counted(results) -> None:
    table = results(VALUES)
    table.loc[table["image"] == "001", "status"] = "degenerate"
    (comparison,) = comparisons(table)
    assert comparison.methods["flagged"].tolist() == [1, 1]

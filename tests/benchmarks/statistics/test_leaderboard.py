"""The leaderboard, cell by cell."""

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.statistics.comparisons import comparisons
from heatmark.benchmarks.statistics.intervals import bca, bca_of_groups
from heatmark.benchmarks.statistics.leaderboard import COLUMNS, leaderboard

VALUES = {
    "grad_cam": [0.5, 0.7, 0.6, 0.4],
    "hires_cam": [0.5, 0.7, 0.6, 0.4],
    "layer_cam": [0.8, 0.9, np.nan, 0.85],
    ("input", "random"): [0.1, 0.2, 0.3, 0.2],
}


SAME = {"hires_cam": "grad_cam"}


def test_rows_by_hand(results, repeating) -> None:
    table = leaderboard(repeating(results(VALUES), SAME))
    assert table.columns.tolist() == COLUMNS
    assert table["method"].tolist() == ["layer_cam", "grad_cam", "hires_cam", "random"]
    assert table["rank"].tolist() == [1, 2, 2, 3]
    assert table["mean"].tolist() == pytest.approx([0.85, 0.55, 0.55, 0.2])
    assert table["n"].tolist() == [3, 4, 4, 4]
    assert table["undefined"].tolist() == [1, 0, 0, 0]
    assert table["n_ranked"].tolist() == [3] * 4
    assert table["mean_ranked"].tolist() == pytest.approx([0.85, 1.6 / 3, 1.6 / 3, 0.5 / 3])
    assert table["same_as"].tolist() == ["", "", "grad_cam", ""]
    assert table["maps_compared"].all()
    assert table["n_groups"].tolist() == table["n"].tolist()
    assert set(table["unit"]) == {"images"}
    assert table[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 1], [2, 2], [2, 2], [3, 3]]


def test_the_best_of_a_lower_is_better_metric_is_the_least(results) -> None:
    table = leaderboard(results(VALUES, higher_is_better=False))
    assert table["method"].tolist() == ["random", "grad_cam", "hires_cam", "layer_cam"]
    assert table["mean"].iloc[0] == pytest.approx(0.2)


def test_intervals_do_not_depend_on_other_rows(results) -> None:
    whole = leaderboard(results(VALUES)).set_index("method")
    alone = leaderboard(results({"grad_cam": VALUES["grad_cam"]})).iloc[0]
    assert (alone["ci_low"], alone["ci_high"]) == tuple(whole.loc["grad_cam", ["ci_low", "ci_high"]])
    (comparison,) = comparisons(results({"grad_cam": VALUES["grad_cam"]}))
    assert (alone["ci_low"], alone["ci_high"]) == tuple(bca(comparison.array(), comparison.seed)[:, 0])


def test_a_method_without_a_value_has_no_rank(results) -> None:
    table = leaderboard(results(VALUES | {"score_cam": [np.nan] * 4})).set_index("method")
    assert table.loc["score_cam", ["mean", "ci_low", "rank"]].isna().all()
    assert table.loc["layer_cam", "rank"] == 1


def test_comparisons_do_not_mix(results, repeating) -> None:
    both = pd.concat([results(VALUES, model="m"), results(VALUES, model="n")])
    table = leaderboard(repeating(both, SAME))
    assert len(table) == 8
    assert table.groupby("model")["rank"].max().tolist() == [3, 3]
    assert leaderboard(both.iloc[:0]).columns.tolist() == COLUMNS


def test_ranks_are_by_means_over_the_same_images(results) -> None:
    # b has the larger mean, but only because it is undefined on the image that is hard for everyone
    table = leaderboard(results({"a": [0.9, 0.7, 0.1], "b": [0.8, 0.6, np.nan]})).set_index("method")
    assert table.loc["b", "mean"] > table.loc["a", "mean"]
    assert table["rank"].to_dict() == {"a": 1, "b": 2}
    assert table["mean_ranked"].to_dict() == {"a": pytest.approx(0.8), "b": pytest.approx(0.7)}
    assert table["n"].to_dict() == {"a": 3, "b": 2}
    assert set(table["n_ranked"]) == {2}


def flagged(frame: pd.DataFrame, method: str, images: list[str]) -> pd.DataFrame:
    hit = (frame["method"] == method) & frame["image"].isin(images)
    return frame.assign(status=frame["status"].mask(hit, "degenerate"))


def test_flagged_maps_are_counted_and_left_out_of_the_second_line(results) -> None:
    frame = results({"a": [1.0, 0.2, 0.3, 0.4], "b": [0.3, 0.3, 0.4, 0.5], "c": [0.0, 0.0, 0.1, 0.2]})
    table = leaderboard(flagged(frame, "a", ["000"])).set_index("method")
    assert table["flagged"].to_dict() == {"a": 1, "b": 0, "c": 0}
    assert table["rank"].to_dict() == {"a": 1, "b": 2, "c": 3}
    assert table["rank_unflagged"].to_dict() == {"a": 2, "b": 1, "c": 3}
    assert table.loc["a", ["mean_unflagged", "n_unflagged"]].tolist() == [pytest.approx(0.3), 3]
    assert table.loc["b", ["mean_unflagged", "n_unflagged"]].tolist() == [pytest.approx(0.375), 4]
    assert table.loc["b", ["mean_ranked_unflagged", "n_ranked_unflagged"]].tolist() == [pytest.approx(0.4), 3]
    assert not table["mostly_flagged"].any()


def test_a_method_flagged_on_most_images_is_marked_and_has_no_rank_without_them(results) -> None:
    frame = results({"a": [1.0, 0.9, 0.8, 0.1], "b": [0.3, 0.3, 0.4, 0.5], "c": [0.0, 0.0, 0.1, 0.2]})
    table = leaderboard(flagged(frame, "a", ["000", "001", "002"])).set_index("method")
    assert table["rank"].to_dict() == {"a": 1, "b": 2, "c": 3}
    assert table["mostly_flagged"].to_dict() == {"a": True, "b": False, "c": False}
    assert np.isnan(table.loc["a", "rank_unflagged"])
    assert table.loc["b", ["rank_unflagged", "n_ranked_unflagged"]].tolist() == [1, 4]  # it hides no image


def test_whole_groups_are_resampled(results) -> None:
    frame = results({"a": [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5]})
    groups = ["p"] * 3 + ["q"] * 3 + ["r"] * 3
    wide, narrow = leaderboard(frame.assign(group=groups)).iloc[0], leaderboard(frame).iloc[0]
    assert (wide["n"], wide["n_groups"], wide["unit"]) == (9, 3, "groups")
    assert (narrow["n"], narrow["n_groups"], narrow["unit"]) == (9, 9, "images")
    assert wide["mean"] == narrow["mean"]
    (comparison,) = comparisons(frame.assign(group=groups))
    expected = bca_of_groups(comparison.array(), np.repeat([0, 1, 2], 3), comparison.seed)[:, 0]
    assert (wide["ci_low"], wide["ci_high"]) == tuple(expected)
    assert wide["ci_high"] - wide["ci_low"] > narrow["ci_high"] - narrow["ci_low"]


def test_two_checkpoints_of_one_label_stay_two_rows(results) -> None:
    first = results({"a": [0.5, 0.7], "random": [0.1, 0.2]}, weights="best", weights_digest="1111aaaa")
    other = results({"a": [0.1, 0.3], "random": [0.6, 0.7]}, weights="best", weights_digest="2222bbbb")
    table = leaderboard(pd.concat([first, other.assign(cell="x" + other["cell"])]))
    assert len(table) == 4
    assert table.groupby("weights_digest")["rank"].max().tolist() == [2, 2]
    assert table.query("method == 'a'")["mean"].tolist() == pytest.approx([0.6, 0.2])

"""Labels that mean two things are told apart; rows are grouped by digests, never by labels."""

import pandas as pd

from heatmark.benchmarks.statistics.digests import labels_told_apart, own_label
from heatmark.benchmarks.statistics.tables import statistics
from heatmark.benchmarks.statistics.variants import renamed, told_apart

VALUES = {"grad_cam": [0.5, 0.7], "random": [0.1, 0.2]}


def best(results, digest: str, **facts: object) -> pd.DataFrame:
    frame = results(VALUES, weights="best", weights_digest=digest, **facts)
    return frame.assign(cell=frame["cell"] + digest)


def test_two_weights_of_one_label_end_in_their_digest(results) -> None:
    frame = told_apart(pd.concat([best(results, "1111aaaa"), best(results, "2222bbbb")]))
    assert frame.groupby("weights_digest")["weights"].unique().str[0].to_dict() == {
        "1111aaaa": "best #1111", "2222bbbb": "best #2222"
    }  # fmt: skip
    assert set(frame["method"]) == {"grad_cam", "random"}
    pd.testing.assert_frame_equal(told_apart(frame), frame)
    close = labels_told_apart(pd.concat([best(results, "1111aaaa"), best(results, "1111abbb")]))
    assert set(close["weights"]) == {"best #1111aa", "best #1111ab"}


def test_one_label_of_two_models_or_unknown_digests_stay(results) -> None:
    both = pd.concat([best(results, "1111"), best(results, "2222", model="other")])
    assert set(labels_told_apart(both)["weights"]) == {"best"}
    assert set(labels_told_apart(pd.concat([best(results, ""), best(results, "")]))["weights"]) == {"best"}


def test_two_image_sets_of_one_label_end_in_their_digest_but_two_sizes_of_one_do_not(results) -> None:
    one, other = results(VALUES), results(VALUES, images_digest="9999ffff")
    found = labels_told_apart(pd.concat([one, other.assign(cell="x" + other["cell"])]))
    assert set(found["dataset"]) == {"shapes #i1", "shapes #9999"}
    sizes = labels_told_apart(pd.concat([one, results(VALUES, images_digest="9999ffff", model="other")]))
    assert set(sizes["dataset"]) == {"shapes"}
    assert own_label("shapes #9999") == own_label("shapes") == "shapes"


def test_no_statistic_crosses_digests(results) -> None:
    low = {"metric": "deletion", "definition": "deletion:rise-2018", "higher_is_better": False}
    frame = pd.concat([best(results, d, **extra) for d in ("1111aaaa", "2222bbbb") for extra in ({}, low)])
    found = statistics(frame)
    assert found["leaderboard"].groupby(["weights_digest", "metric"]).size().tolist() == [2] * 4
    assert found["pairwise"].groupby(["weights_digest", "metric"]).size().tolist() == [1] * 4
    assert (found["pairwise"]["cell_a"].str[-4:] == found["pairwise"]["cell_b"].str[-4:]).all()
    assert len(found["friedman"]) == 4


def test_another_checkpoint_moves_no_interval(results) -> None:
    alone = statistics(best(results, "1111aaaa"))["leaderboard"]
    both = statistics(pd.concat([best(results, "1111aaaa"), best(results, "2222bbbb")]))["leaderboard"]
    mine = both[both["weights_digest"] == "1111aaaa"].reset_index(drop=True)
    numbers = ["mean", "ci_low", "ci_high", "rank_low"]
    pd.testing.assert_frame_equal(mine[numbers], alone[numbers])


def test_timing_and_curves_follow(results) -> None:
    frame = told_apart(pd.concat([best(results, "1111aaaa"), best(results, "2222bbbb")]))
    timing = frame.drop_duplicates("cell")[["cell", "method"]].assign(weights="best", dataset="shapes")
    assert set(renamed(timing, frame)["weights"]) == {"best #1111", "best #2222"}

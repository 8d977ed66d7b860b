"""A method with several sets of options has several names."""

import pandas as pd

from heatmark.benchmarks.statistics.tables import statistics
from heatmark.benchmarks.statistics.variants import plain, renamed, told_apart

FEW = '{"grid":7,"inner":{"eps":0.5},"masks":1000,"order":[1,2]}'
MANY = '{"grid":7,"inner":{"eps":0.5},"masks":4000,"order":[1,2]}'
DEEP = '{"grid":7,"inner":{"eps":0.25},"masks":4000,"order":[2]}'


def names(results: pd.DataFrame) -> dict[str, str]:
    return told_apart(results).drop_duplicates("cell").set_index("cell")["method"].to_dict()


def twice(results, first: str, second: str) -> pd.DataFrame:
    """Return rise with two sets of options, and random with one, at one layer of one model."""
    values = {"rise": [0.5, 0.7], "random": [0.1, 0.2]}
    one = results(values, options=first)
    other = results({"rise": [0.9, 0.8]}, options=second).assign(cell="fedcba98")
    return pd.concat([one, other], ignore_index=True)


def test_only_the_options_that_differ_are_named(results) -> None:
    frame = twice(results, FEW, MANY)
    assert names(frame) == {
        "net-last-rise": "rise masks=1000", "net-last-random": "random", "fedcba98": "rise masks=4000"
    }  # fmt: skip
    other = told_apart(frame).drop(columns="method")
    pd.testing.assert_frame_equal(other, frame.drop(columns="method"))
    assert names(twice(results, FEW, DEEP))["fedcba98"] == "rise inner.eps=0.25 masks=4000 order=[2]"


def test_a_method_that_differs_between_two_models_has_two_names(results) -> None:
    frame = pd.concat([results({"rise": [1.0]}, options=FEW), results({"rise": [1.0]}, model="vgg", options=MANY)])
    assert sorted(names(frame).values()) == ["rise masks=1000", "rise masks=4000"]


def test_nothing_changes_where_nothing_differs(results) -> None:
    values = {("a", "rise"): [0.5], ("b", "rise"): [0.5], ("a", "random"): [0.5]}
    for options in (FEW, ""):
        frame = results(values, options=options)
        pd.testing.assert_frame_equal(told_apart(frame), frame)
    old = results(values).drop(columns="options", errors="ignore")
    pd.testing.assert_frame_equal(told_apart(old), old)
    assert told_apart(pd.DataFrame()).empty


def test_cells_of_unknown_or_equal_options_are_told_apart_by_their_keys(results) -> None:
    for options in (FEW, ""):
        found = names(twice(results, options, options))
        assert found == {"net-last-rise": "rise net-", "net-last-random": "random", "fedcba98": "rise fedc"}
    alike = twice(results, "", "")
    alike["cell"] = alike["cell"].replace({"net-last-rise": "fedcbaXX"})
    assert names(alike)["fedcba98"] == "rise fedcba9"
    assert names(alike)["fedcbaXX"] == "rise fedcbaX"


def test_telling_apart_twice_is_telling_apart_once(results) -> None:
    for frame in (twice(results, FEW, MANY), twice(results, "", "")):
        once = told_apart(frame)
        pd.testing.assert_frame_equal(told_apart(once), once)


def test_every_statistic_tells_them_apart(results) -> None:
    frame = pd.concat([twice(results, FEW, MANY), twice(results, FEW, MANY).assign(definition="insertion:other")])
    found = statistics(frame)
    both = {"rise masks=1000", "rise masks=4000"}
    assert both < set(found["leaderboard"]["method"])
    assert both < {*found["pairwise"]["method_a"], *found["pairwise"]["method_b"]}
    assert set(found["friedman"]["n_methods"]) == {3}
    assert set(found["concordance"]["n_methods"]) == {3}


def test_the_other_tables_follow_and_the_plain_name_comes_back(results) -> None:
    frame = told_apart(twice(results, FEW, MANY))
    timing = pd.DataFrame({"cell": ["fedcba98", "net-last-random", "gone"], "method": ["rise", "random", "old"]})
    assert renamed(timing, frame)["method"].tolist() == ["rise masks=4000", "random", "old"]
    given = ("rise masks=4000 order=[2]", "rise fedc", "grad_cam", "random(seed=1)", "random(seed=1) fedc")
    assert [plain(name) for name in given] == ["rise", "rise", "grad_cam", "random", "random"]


def test_one_method_on_other_images_keeps_its_name(results) -> None:
    first, other = results({"rise": [0.1, 0.2]}), results({"rise": [0.3, 0.4]})
    frame = pd.concat([first, other.assign(cell="other", image="b" + other["image"])])
    assert set(told_apart(frame)["method"]) == {"rise"}

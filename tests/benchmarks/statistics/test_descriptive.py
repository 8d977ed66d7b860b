"""Tests of descriptive metrics: they have means and intervals, and no method is better than another under them."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from heatmark.benchmarks.statistics.comparisons import arrow, comparisons
from heatmark.benchmarks.statistics.concordance import judges
from heatmark.benchmarks.statistics.friedman import friedman
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.pairwise import pairwise

Results = Callable[..., pd.DataFrame]
VALUES = {"a": [0.1, 0.2, 0.3], "b": [0.5, 0.6, 0.9]}


def both(results: Results) -> pd.DataFrame:
    size = {"metric": "size", "definition": "size", "higher_is_better": None}
    return pd.concat([results(VALUES), results(VALUES, **size)], ignore_index=True)


def test_the_leaderboard_has_means_and_no_ranks(results: Results) -> None:
    table = leaderboard(both(results)).set_index(["metric", "method"])
    assert table.loc["size", "mean"].to_dict() == {"a": np.mean(VALUES["a"]), "b": np.mean(VALUES["b"])}
    assert table.loc["size", "ci_low"].notna().all()
    ranks = [name for name in table if "rank" in name and name not in ("n_ranked", "n_ranked_unflagged")]
    assert len(ranks) == 6
    assert table.loc["size", ranks].isna().all(axis=None)
    assert table.loc["insertion", "rank"].to_dict() == {"b": 1, "a": 2}
    assert table.loc["size", "higher_is_better"].isna().all()
    assert table["higher_is_better"].dtype == "boolean"


def test_nothing_is_tested_under_a_descriptive_metric(results: Results) -> None:
    frame = both(results)
    assert [comparison.higher_is_better for comparison in comparisons(frame)] == [True, None]
    assert set(pairwise(frame)["metric"]) == {"insertion"}
    assert set(friedman(frame)["metric"]) == {"insertion"}
    assert set(judges(frame).index.get_level_values("metric")) == {"insertion"}


def test_arrows() -> None:
    assert [arrow(better) for better in (True, np.bool_(False), None, pd.NA)] == [" ↑", " ↓", "", ""]

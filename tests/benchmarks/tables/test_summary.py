"""Tests of the summary on the terminal: ranks, intervals, groups, flagged maps, and its text."""

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.conformance.answers.statistics import table
from heatmark.benchmarks.tables.ranking import mean_and_half_width, ranking
from heatmark.benchmarks.tables.summary import show

COST = pd.DataFrame({"cell": ["net-x-a"], "cost_in_forwards": [1.5], "weights_digest": "x", "images_digest": "i"})


def flagged(frame: pd.DataFrame, **images: list[str]) -> pd.DataFrame:
    hit = [image in images.get(method, []) for method, image in zip(frame["method"], frame["image"], strict=True)]
    return frame.assign(status=np.where(hit, "degenerate", "ok"))


def test_ranks_are_over_the_same_images() -> None:
    frame = ranking(table({"a": [0.9, 0.7, 0.1], "b": [0.8, 0.6, np.nan]}), COST).set_index("method")
    assert frame["rank"].to_dict() == {"a": 1, "b": 2}
    assert frame["n"].to_dict() == {"a": 3, "b": 2}
    assert set(frame["n_ranked"]) == {2}
    assert frame.loc["b", "insertion"] > frame.loc["a", "insertion"]


def test_numbers_with_and_without_flagged_maps() -> None:
    results = table({"a": [1.0, 0.2, 0.3, 0.4], "b": [0.3, 0.3, 0.4, 0.5], "c": [0.9, 0.9, 0.9, 0.9]})
    frame = ranking(flagged(results, a=["00"], c=["01", "02", "03"]), COST).set_index("method")
    assert frame["rank"].to_dict() == {"c": 1, "a": 2, "b": 3}
    assert frame["flagged"].to_dict() == {"c": 3, "a": 1, "b": 0}
    assert frame["rank without"].fillna(0).to_dict() == {"c": 0, "a": 2, "b": 1}
    assert frame.loc["a", "insertion without"] == pytest.approx(0.3)


def test_a_method_with_anothers_maps_has_its_rank() -> None:
    results = table({"a": [0.9, 0.7], "b": [0.9, 0.7], "c": [0.1, 0.2]})
    marked = results.assign(map_of=results["cell"].replace({"net-x-b": "net-x-a"}))
    assert ranking(marked, COST).set_index("method")["rank"].to_dict() == {"a": 1, "b": 1, "c": 2}
    assert ranking(results, COST).set_index("method")["rank"].to_dict() == {"a": 1.5, "b": 1.5, "c": 3}


def test_repeats_of_a_cell_that_is_not_in_the_table_share_a_rank() -> None:
    results = table({"a": [0.9, 0.7], "b": [0.9, 0.7], "c": [0.1, 0.2]})
    marked = results.assign(map_of=results["cell"].replace(["net-x-a", "net-x-b"], "of other metrics"))
    assert ranking(marked, COST).set_index("method")["rank"].to_dict() == {"a": 1, "b": 1, "c": 2}


def test_intervals_are_over_groups() -> None:
    frame = table({"a": [0.1, 0.1, 0.9, 0.9], "b": [0.2, 0.3, 0.4, 0.5]}).assign(group=["p", "p", "q", "q"] * 2)
    row = ranking(frame, COST).set_index("method").loc["a"]
    assert row["insertion ±"] == pytest.approx(1.96 * 0.4)  # of two groups' means, 0.1 and 0.9
    assert mean_and_half_width(np.array([0.1, 0.9])) == (0.5, pytest.approx(1.96 * 0.4))


def test_the_summary_shows_scores_gains_flags_and_n(
    tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    COST.to_parquet(tmp_path / "timing.parquet")
    results = flagged(table({"a": [0.9, 0.2, 0.3], "random": [0.3, np.nan, 0.4]}), a=["00", "01"])
    other = flagged(table({"a": [0.1, 0.2, 0.3], "random": [0.2, 0.2, 0.2]}, weights_digest="y"))
    show(pd.concat([results, other]), tmp_path, [])
    said = capsys.readouterr().out
    assert "net (best #x) on toy" in said
    assert "net (best #y) on toy" in said
    assert "2!" in said  # flagged on most images
    assert "unflagged 1, rank 1→–" in said
    assert "random (n 2)" in said
    assert "over the 2 images on which all methods are defined" in " ".join(said.split())
    assert "+0.250" in said  # over this checkpoint's own random: (0.6 − 0.1) / 2


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_narrow_terminal_loses_no_column_and_no_digit(
    columns: int, tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", f"{columns}")
    COST.to_parquet(tmp_path / "timing.parquet")
    results = pd.concat(
        [table({"a": [0.9, 0.2, 0.3]}, metric=name, definition=name) for name in ("deletion", "insertion")]
    )
    show(flagged(results, a=["00", "01"]), tmp_path, [])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["forwards", "flags"] in [row[-2:] for row in rows]
    assert ["1.50", "2!"] in [row[-2:] for row in rows]


def test_cells_without_groups_have_a_table_of_their_own(
    tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    COST.to_parquet(tmp_path / "timing.parquet")
    before = table({"a": [0.1, 0.1, 0.9, 0.9]})
    after = before.assign(cell="later", group=["p", "p", "q", "q"])
    show(pd.concat([before, after]), tmp_path, [])
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("over 4 images, of 2 groups") == 1
    assert said.count("over 4 images;") == 1
    assert "0.500 ±.784" in said  # of two groups' means, 0.1 and 0.9


def test_a_descriptive_metric_has_a_mean_and_neither_an_arrow_nor_a_gain_nor_a_part_in_the_rank(
    tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    COST.to_parquet(tmp_path / "timing.parquet")
    good = table({"a": [0.9, 0.8], "random": [0.3, 0.4]})
    size = table({"a": [5.0, 7.0], "random": [90.0, 80.0]}, metric="size", definition="size").assign(
        higher_is_better=pd.array([None] * 4, dtype="boolean")
    )
    results = pd.concat([good.assign(higher_is_better=good["higher_is_better"].astype("boolean")), size])
    frame = ranking(results, COST).set_index("method")
    assert frame["rank"].to_dict() == {"a": 1, "random": 2}
    assert frame.loc["a", "faithfulness"] == pytest.approx(0.85)
    show(results, tmp_path, [])
    said = capsys.readouterr().out
    assert "6.000" in said
    assert "size ↑" not in said
    assert "size ↓" not in said
    assert "-79" not in said
    alone = ranking(size, COST)
    assert alone["rank"].isna().all()
    assert alone["faithfulness"].isna().all()


def test_errors_of_images_are_said_once_per_cell(
    tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    COST.to_parquet(tmp_path / "timing.parquet")
    results = table({"a": [np.nan, np.nan, 0.5], "b": [0.1, 0.2, 0.3]})
    failed = results["value"].isna()
    show(results.assign(status=np.where(failed, "error", "ok"), reason=np.where(failed, "KeyError", "")), tmp_path, [])
    assert "error: net last a insertion (2 images): KeyError" in " ".join(capsys.readouterr().out.split())

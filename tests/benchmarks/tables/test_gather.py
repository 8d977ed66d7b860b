"""Tests of gathering: stored cells become results, timing and curves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.schema import DIGESTS
from heatmark.benchmarks.store import Measured, Record, Store
from heatmark.benchmarks.tables.gather import RESULTS, TIES, TIMING, _replace, gather
from heatmark.benchmarks.tables.ranking import mean_and_half_width, ranking

COLUMNS = {
    "model": "net", "weights": "random-0", "implementation": "heatmark", "dataset": "shapes",
    "target_rule": "predicted", "device": "cpu", "precision": "fp32",
}  # fmt: skip


def record(key: str, method: str, deletion: list[float], insertion: list[float], layer: str = "last") -> Record:
    curve = np.array([0.0, 0.5, 1.0]), np.array([[1.0, 0.5, 0.25]] * 3, dtype=np.float32)
    return Record(
        key,
        {**COLUMNS, "layer": layer, "method": method},
        images=["a", "b", "c"],
        targets=[3, 3, 1],
        flags=["", "constant", ""],
        metrics={
            "deletion": Measured("deletion:rise-2018", False, np.array(deletion), *curve),
            "insertion": Measured("insertion:rise-2018", True, np.array(insertion)),
        },
        timing=[{"batch_size": 2, "latency_ms": 3.0, "forward_ms": 2.0, "cost_in_forwards": 1.5, "repeats": 5}],
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    store = Store(tmp_path)
    store.write(record("k2", "random", [0.5, 0.5, 0.5], [0.25, 0.25, 0.5], "input"))
    store.write(record("k1", "grad_cam", [0.25, 0.0, 0.5], [0.5, 0.75, np.nan]))
    store.write(Record("k3", {**COLUMNS, "layer": "last", "method": "captum_deep_lift"}, "skipped", "re-used ReLU"))
    store.write_job("s", {"model": "other", "dataset": "", "status": "error", "reason": "no weights"})
    return tmp_path


def test_one_row_per_cell_image_and_metric(run: Path) -> None:
    results = gather(run)
    assert list(results.columns) == RESULTS
    assert len(results) == 2 * 3 * 2 + 1 + 1
    row = results[(results["cell"] == "k1") & (results["image"] == "b") & (results["metric"] == "insertion")].iloc[0]
    assert (row["value"], row["target"], row["status"], row["reason"]) == (0.75, "3", "degenerate", "constant")
    assert results.loc[results["cell"] == "k1", "target"].tolist() == ["3", "3", "1"] * 2
    assert row["higher_is_better"]
    assert row["definition"] == "insertion:rise-2018"
    mine = results[(results["cell"] == "k1") & (results["metric"] == "insertion")]
    assert mine.set_index("image")["target"].to_dict() == {"a": "3", "b": "3", "c": "1"}


def test_groups_are_a_column_of_results_and_digests_are_columns_of_every_table(run: Path) -> None:
    shared = {**COLUMNS, "weights_digest": "0123456789ab", "images_digest": "ba9876543210"}
    told = replace(record("k5", "grad_cam", [0.5] * 3, [0.5] * 3), columns={**shared, "layer": "last", "method": "g"})
    Store(run).write(replace(told, groups=["p1", "", "p1"]))
    results = gather(run)
    mine = results[(results["cell"] == "k5") & (results["metric"] == "deletion")]
    assert mine[["image", "group"]].to_numpy().tolist() == [["a", "p1"], ["b", ""], ["c", "p1"]]
    assert set(results.loc[results["cell"] != "k5", "group"]) == {""}  # of a record that knows of no groups
    for name in ("results", "timing", "curves"):
        rows = pd.read_parquet(run / f"{name}.parquet").query("cell == 'k5'")
        assert set(map(tuple, rows[DIGESTS].to_numpy())) == {("0123456789ab", "ba9876543210")}


def test_weights_with_one_name_are_distinct_in_every_table(run: Path) -> None:
    for digest in ("a" * 12, "b" * 12):
        own = {"weights": "best", "weights_digest": digest, "layer": "last", "method": "grad_cam"}
        made = record(f"k{digest}", "grad_cam", [0.5] * 3, [0.5] * 3)
        Store(run).write(replace(made, columns={**COLUMNS, **own}))
        job = {"model": "net", "dataset": "shapes", "status": "done", "weights": "best", "weights_digest": digest}
        Store(run).write_job(digest, {**job, "checkpoint": f"/runs/{digest[0]}/best.pth"})
    gather(run)
    for name in ("results", "timing", "curves"):
        rows = pd.read_parquet(run / f"{name}.parquet")
        named = rows[rows["weights_digest"] != ""].groupby("weights_digest")["weights"].unique()
        assert [list(names) for names in named] == [["a/best"], ["b/best"]]
    jobs = json.loads((run / "provenance.json").read_text())["jobs"]
    assert sorted(s["weights"] for s in jobs if "weights" in s) == ["a/best", "b/best"]
    assert all(
        r.columns["weights"] == "best" for r in Store(run).read() if r.columns.get("weights_digest")
    )  # as it was


def test_skips_and_failed_jobs_are_rows_with_their_reason(run: Path) -> None:
    results = gather(run)
    skipped = results[results["status"] == "skipped"].iloc[0]
    assert (skipped["method"], skipped["reason"], skipped["image"], skipped["metric"]) == (
        "captum_deep_lift", "re-used ReLU", "", "",
    )  # fmt: skip
    assert np.isnan(skipped["value"])
    assert not skipped["higher_is_better"]
    failed = results[results["status"] == "error"].iloc[0]
    assert (failed["model"], failed["reason"], failed["method"]) == ("other", "no weights", "")


def test_no_value_is_none_and_parquet_and_csv_agree(run: Path) -> None:
    results = gather(run)
    pd.testing.assert_frame_equal(pd.read_parquet(run / "results.parquet"), results)
    texts = results.drop(columns=["value", *TIES, "higher_is_better", "depth"])
    assert texts.map(lambda cell: isinstance(cell, str)).all(axis=None)
    csv = pd.read_csv(run / "results.csv", keep_default_na=False, na_values={"value": [""]}, dtype={"target": str})
    np.testing.assert_array_equal(csv["value"], results["value"])


def test_options_and_depth_are_columns_of_results_only(run: Path) -> None:
    own = {"options": '{"relu":true}', "depth": "0.75"}
    Store(run).write(Record("k4", {**COLUMNS, "layer": "last", "method": "layer_cam", **own}, "skipped", "no"))
    results = gather(run).drop_duplicates("cell").set_index("method")
    assert (results.loc["layer_cam", "options"], results.loc["layer_cam", "depth"]) == ('{"relu":true}', 0.75)
    assert results["depth"].dtype == np.float64
    # of a cell that an older version ran, and of a job that could not begin
    for older in ("grad_cam", ""):
        assert results.loc[older, "options"] == ""
        assert np.isnan(results.loc[older, "depth"])
    for name in ("timing", "curves"):
        assert not {"options", "depth"} & set(pd.read_parquet(run / f"{name}.parquet").columns)


def test_the_depth_of_a_layer_that_has_none_is_nan(run: Path) -> None:
    Store(run).write(Record("k4", {**COLUMNS, "layer": "input", "method": "rise", "depth": ""}, "skipped", "no"))
    results = gather(run).set_index("method")
    assert np.isnan(results.loc["rise", "depth"])
    assert np.isnan(pd.read_parquet(run / "results.parquet").set_index("method").loc["rise", "depth"])


def test_rows_of_timing_and_curves(run: Path) -> None:
    gather(run)
    timing, curves = pd.read_parquet(run / "timing.parquet"), pd.read_parquet(run / "curves.parquet")
    assert list(timing.columns) == TIMING
    assert timing[["cell", "cost_in_forwards"]].to_numpy().tolist() == [["k2", 1.5], ["k1", 1.5]]
    one = curves[(curves["cell"] == "k1") & (curves["image"] == "a")]
    assert one[["fraction", "score"]].to_numpy().tolist() == [[0.0, 1.0], [0.5, 0.5], [1.0, 0.25]]


def test_ties_and_ranges_over_tie_orders_are_per_row_and_nan_where_not_measured(run: Path) -> None:
    tied, low, high = np.array([0.0, 1.0, np.nan]), np.array([0.2, 0.0, np.nan]), np.array([0.3, 0.5, np.nan])
    value = np.array([0.25, 0.25, np.nan])
    base = record("k5", "layer_cam", [], [])
    metrics = {
        "deletion": Measured("deletion:x", False, value, tied=tied, tie_low=low, tie_high=high),
        "insertion": Measured("insertion:x", True, value, tied=tied),
    }
    Store(run).write(replace(base, metrics=metrics))
    gather(run)
    results = pd.read_parquet(run / "results.parquet").set_index(["cell", "metric", "image"]).sort_index()
    np.testing.assert_array_equal(results.loc[("k5", "deletion"), TIES], np.stack([tied, low, high], 1))
    np.testing.assert_array_equal(results.loc[("k5", "insertion"), "tied"], tied)
    assert results.loc[("k5", "insertion"), ["tie_low", "tie_high"]].isna().all(axis=None)
    assert results.loc["k1", TIES].isna().all(axis=None)  # of a cell that an older version ran
    assert (results[TIES].dtypes == np.float64).all()


def test_gathering_an_empty_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no run in"):
        gather(tmp_path / "nothing")


def test_gains_over_the_control_are_paired_by_image(run: Path) -> None:
    results = gather(run)
    frame = ranking(results[results["metric"] != ""], pd.read_parquet(run / "timing.parquet"))
    assert frame["method"].tolist() == ["grad_cam", "random"]
    best = frame.iloc[0]
    # faithfulness of image a is 0.5 − 0.25, of b 0.75 − 0; c has no insertion and so no faithfulness
    assert best["faithfulness"] == pytest.approx(0.5)
    assert best["faithfulness ±"] == pytest.approx(1.96 * np.std([0.25, 0.75], ddof=1) / np.sqrt(2))
    assert best["faithfulness gain"] == pytest.approx(((0.25 + 0.25) + (0.75 + 0.25)) / 2)
    assert best["deletion:rise-2018 gain"] == pytest.approx((-0.25 - 0.5 + 0) / 3)
    assert (best["cost_in_forwards"], best["flagged"]) == (1.5, 1)


def test_mean_and_half_width() -> None:
    mean, half = mean_and_half_width(np.array([1.0, 2.0, np.nan, 3.0]))
    assert (mean, half) == (2.0, pytest.approx(1.96 / np.sqrt(3)))
    assert np.isnan(mean_and_half_width(np.array([np.nan]))[0])


def test_two_processes_may_publish_at_once(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_text("half")
        _replace(tmp_path / "table", lambda other: other.write_text("the other's"))
        assert path.read_text() == "half"
        path.write_text("whole")

    _replace(tmp_path / "table", write)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("table", "whole")]

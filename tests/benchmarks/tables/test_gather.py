"""Tests of gathering: what requests ask for, joined with what the store has."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Entry, Request, RequestedMetric
from heatmark.benchmarks.tables.columns import CURVES, RESULTS, TIES, TIMING
from heatmark.benchmarks.tables.curves import StoredCurves, aligned
from heatmark.benchmarks.tables.gather import gather, whole
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.jobs import jobs, of_setting
from heatmark.benchmarks.tables.writing import replaced

from .. import synthetic
from ..synthetic import FACTS, METRICS, digest

RANDOM, CAM, SKIPPED, FAILED = (
    synthetic.cell("random", "input"), synthetic.cell("grad_cam", depth="0.75", options='{"relu":true}'),
    synthetic.cell("captum_deep_lift", skipped="re-used ReLU"), synthetic.cell("layer_cam"),
)  # fmt: skip
PICTURES = [
    Entry("a", digest("a"), target=3, position=0, group="p1"), Entry("b", digest("b"), target=3, position=1),
    Entry("c", digest("c"), target=1, position=2, group="p1"),
]  # fmt: skip
BROKEN = Entry("broken", "", position=3, reason="cannot read broken")
GAIN = RequestedMetric("gain", "difference", True, terms={"insertion": 1.0, "deletion": -1.0})
SCORES = {
    ("random", "deletion"): [0.5, 0.5, 0.5], ("random", "insertion"): [0.25, 0.25, 0.5],
    ("grad_cam", "deletion"): [0.25, 0.0, 0.5], ("grad_cam", "insertion"): [0.5, 0.75, np.nan],
}  # fmt: skip
NUMBERS = replace(
    synthetic.random_numbers(3),
    values=lambda c, m, block: np.array([SCORES[c.method, m.name][e.position] for e in block]),
    flags={(CAM.key, "b"): "constant"},
    undefined={(digest(CAM.key, "insertion:rise-2018"), "c"): "the image has no mask"},
)


def asked() -> Request:
    return synthetic.request([RANDOM, CAM, SKIPPED, FAILED], [*PICTURES, BROKEN], [*METRICS, GAIN])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    known = [RANDOM, CAM, SKIPPED]
    synthetic.write(tmp_path, synthetic.request(known, PICTURES, [*METRICS, GAIN]), NUMBERS)
    for file in (tmp_path / "requests").iterdir():
        file.unlink()
    synthetic.failed_cell(tmp_path, FAILED, "RuntimeError: out of luck")
    requests.write(tmp_path, asked())
    failed = {"model": "other", "dataset": "", "status": "error", "reason": "no weights"}
    requests.write(tmp_path, Request("f", "f", 2.0, facts=failed))
    return tmp_path


def of(results: pd.DataFrame, method: str, metric: str) -> pd.DataFrame:
    return results[(results["method"] == method) & (results["metric"] == metric)].set_index("image")


def test_one_row_per_cell_image_and_metric_in_the_order_of_cells(run: Path) -> None:
    results = gather(run)
    assert list(results.columns) == RESULTS
    rows = results.groupby(["method", "status"], sort=False).size().to_dict()
    assert rows == {
        ("", "error"): 2, ("random", "ok"): 9, ("captum_deep_lift", "skipped"): 1, ("grad_cam", "ok"): 6,
        ("grad_cam", "degenerate"): 3, ("layer_cam", "error"): 1,
    }  # fmt: skip
    found = of(results, "grad_cam", "insertion")
    assert found["target"].to_dict() == {"a": "3", "b": "3", "c": "1"}
    assert found["group"].to_dict() == {"a": "p1", "b": "", "c": "p1"}
    assert found["status"].to_dict() == {"a": "ok", "b": "degenerate", "c": "ok"}
    assert found["reason"].to_dict() == {"a": "", "b": "constant", "c": "the image has no mask"}
    np.testing.assert_array_equal(found["value"], [0.5, 0.75, np.nan])
    np.testing.assert_array_equal(found["tied"], [0.0, 0.25, 0.5])
    np.testing.assert_allclose(found["tie_high"], [0.6, 0.85, np.nan])
    assert found["definition"].unique().tolist() == ["insertion:rise-2018"]
    assert found["higher_is_better"].all()
    assert (found["options"] == '{"relu":true}').all()
    assert (found["depth"] == 0.75).all()
    assert (found["maps"] == CAM.key).all()
    assert results["value"].to_numpy()[results["method"] == "random"].tolist()[:3] == [0.5, 0.5, 0.5]


def test_skips_failures_and_broken_pictures_are_rows_with_their_reason(run: Path) -> None:
    results = gather(run)
    without = results[results["metric"] == ""]
    found = without[["model", "method", "image", "status", "reason"]].to_numpy().tolist()
    assert sorted(found) == [
        ["net", "", "broken", "error", "cannot read broken"],
        ["net", "captum_deep_lift", "", "skipped", "re-used ReLU"],
        ["net", "layer_cam", "", "error", "RuntimeError: out of luck"],
        ["other", "", "", "error", "no weights"],
    ]
    assert without["value"].isna().all()
    assert without["higher_is_better"].isna().all()
    assert (without.loc[without["method"] == "", "cell"] == "").all()


def test_a_derived_metric_is_the_weighted_sum_of_others(run: Path) -> None:
    found = of(gather(run), "grad_cam", "gain")
    np.testing.assert_array_equal(found["value"], [0.25, 0.75, np.nan])
    assert found["reason"].to_dict() == {"a": "", "b": "constant", "c": "insertion: the image has no mask"}
    assert found["definition"].iloc[0] == "difference(+1 insertion:rise-2018 -1 deletion:rise-2018)"
    assert found[["tie_low", "tie_high"]].isna().all(axis=None)


def test_what_is_not_stored_yet_is_no_row(run: Path) -> None:
    more = [*PICTURES, Entry("d", digest("d"), target=3, position=3)]
    requests.write(run, replace(asked(), entries=more))
    assert set(gather(run)["image"]) == {"a", "b", "c", ""}


def test_errors_are_their_rows_alone(tmp_path: Path) -> None:
    errors = {
        ("maps", CAM.key, "a"): "ValueError: map", ("scores", digest(CAM.key, "insertion:rise-2018"), "b"): "KeyError",
    }  # fmt: skip
    asked = synthetic.request([RANDOM, CAM], PICTURES, [*METRICS, GAIN])
    results = gather(synthetic.write(tmp_path, asked, replace(NUMBERS, errors=errors, flags={})))
    bad = results[results["status"] == "error"]
    assert bad[["method", "image", "metric", "reason"]].to_numpy().tolist() == [
        ["grad_cam", "a", "deletion", "ValueError: map"],
        ["grad_cam", "a", "insertion", "ValueError: map"],
        ["grad_cam", "b", "insertion", "KeyError"],
        ["grad_cam", "a", "gain", "insertion: ValueError: map"],
        ["grad_cam", "b", "gain", "insertion: KeyError"],
    ]
    assert bad[["value", *TIES]].isna().all(axis=None)
    assert results.groupby(["method", "metric"]).size().eq(3).all()


def test_a_cell_that_failed_and_then_ran_has_its_numbers(run: Path) -> None:
    later = synthetic.request([FAILED], PICTURES)
    values = {("layer_cam", m): [0.1, 0.2, 0.3] for m in ("deletion", "insertion")}
    numbers = replace(NUMBERS, values=lambda c, m, block: np.array(values[c.method, m.name]))
    synthetic.write(run, later, numbers)
    found = of(gather(run), "layer_cam", "deletion")
    assert found["value"].tolist() == [0.1, 0.2, 0.3]


def test_a_metric_that_does_not_apply_is_one_row_per_cell(run: Path) -> None:
    pointing = RequestedMetric("pointing", "pointing", True, ["masks"], skipped="the dataset has no masks")
    twice = RequestedMetric("twice", "twice", True, terms={"pointing": 2.0})
    again = synthetic.request([RANDOM, CAM], PICTURES, [*METRICS, pointing, twice])
    requests.write(run, replace(asked(), metrics=again.metrics, scores=again.scores, cells=again.cells))
    results = gather(run)
    skipped = results[results["status"] == "skipped"]
    assert skipped[["method", "image", "metric"]].to_numpy().tolist() == [
        [m, "", ""] for m in ("random", "grad_cam") for _ in "ab"
    ]
    assert skipped["reason"].unique().tolist() == [
        "pointing: the dataset has no masks", "twice: pointing: the dataset has no masks",
    ]  # fmt: skip


def test_rows_of_a_metric_depend_on_the_inputs_it_needs(tmp_path: Path) -> None:
    masked = [replace(e, inputs={"masks": digest("mask", e.image)}) for e in PICTURES]
    metric = RequestedMetric("pointing", "pointing", True, ["masks"])
    values = replace(NUMBERS, values=lambda c, m, block: np.array([e.position / 2 for e in block]))
    synthetic.write(tmp_path, synthetic.request([CAM], masked, [metric]), values)
    assert len(of(gather(tmp_path), "grad_cam", "pointing")) == 3
    corrected = [replace(masked[0], inputs={"masks": digest("another")}), *masked[1:]]
    requests.write(tmp_path, synthetic.request([CAM], corrected, [metric]))
    assert list(of(gather(tmp_path), "grad_cam", "pointing").index) == ["b", "c"]


def test_one_key_of_maps_in_two_settings_is_two_cells(tmp_path: Path) -> None:
    for rule, target in (("predicted", 3), ("second", 5)):
        pictures = [replace(entry, target=target) for entry in PICTURES]
        synthetic.write(tmp_path, synthetic.request([CAM], pictures, target_rule=rule), NUMBERS)
    results = gather(tmp_path)
    assert results.groupby("target_rule")["target"].unique().map(list).to_dict() == {
        "predicted": ["3"],
        "second": ["5"],
    }
    assert results["cell"].nunique() == 2
    assert results["maps"].unique().tolist() == [CAM.key]
    assert len(StoredCurves(tmp_path / "curves.parquet").of(results["cell"].iloc[0])) == 6


def test_two_jobs_of_one_setting_are_united(tmp_path: Path) -> None:
    for metrics in ([METRICS[0]], [METRICS[1]], list(METRICS)):
        request = synthetic.request([CAM], PICTURES, metrics)
        synthetic.write(tmp_path, replace(request, job=digest([m.name for m in metrics])), NUMBERS)
    results = gather(tmp_path)
    assert not results.duplicated(["cell", "image", "metric"]).any()
    assert len(results) == 6


def test_the_newest_label_and_name_of_a_picture_are_the_true_ones(tmp_path: Path) -> None:
    synthetic.write(tmp_path, synthetic.request([CAM], PICTURES), NUMBERS)
    renamed = [replace(PICTURES[0], image="other", group="p9"), *PICTURES[1:]]
    requests.write(tmp_path, synthetic.request([CAM], renamed))
    found = of(gather(tmp_path), "grad_cam", "deletion")
    assert found["group"].to_dict() == {"other": "p9", "b": "", "c": "p1"}
    assert found["value"].to_dict() == {"other": 0.25, "b": 0.0, "c": 0.5}


def test_weights_with_one_name_are_distinct_in_every_table(tmp_path: Path) -> None:
    for letter in "ab":
        cell = synthetic.cell("grad_cam", model=letter)
        facts = {"weights": "best", "weights_digest": letter * 12, "checkpoint": f"/runs/{letter}/best.pth"}
        synthetic.write(tmp_path, synthetic.request([cell], PICTURES, **facts), NUMBERS)
        synthetic.timings(tmp_path, [cell])
    gather(tmp_path)
    for name in ("results", "timing"):
        named = pd.read_parquet(tmp_path / f"{name}.parquet").groupby("weights_digest")["weights"].unique()
        assert [list(names) for names in named] == [["a/best"], ["b/best"]]
    facts = json.loads((tmp_path / "provenance.json").read_text())["jobs"]
    assert sorted(job["weights"] for job in facts) == ["a/best", "b/best"]
    assert all("classes" not in job for job in facts)


def test_rows_of_timing_and_curves(run: Path) -> None:
    synthetic.timings(run, [CAM, RANDOM])
    results = gather(run)
    timing, curves = read_table(run / "timing.parquet"), StoredCurves(run / "curves.parquet")
    assert list(timing.columns) == TIMING
    assert timing[["method", "cost_in_forwards", "threads"]].to_numpy().tolist() == [
        ["random", 1.5, 1],
        ["grad_cam", 1.5, 1],
    ]
    assert pq.read_schema(run / "curves.parquet").names == CURVES
    cell = of(results, "grad_cam", "deletion")["cell"].iloc[0]
    rows = curves.of(cell)
    assert rows[["image", "metric"]].to_numpy().tolist() == [[i, m] for m in ("deletion", "insertion") for i in "abc"]
    x, y = aligned(rows[rows["metric"] == "deletion"])
    np.testing.assert_array_equal(x, [0, 0.5, 1])
    np.testing.assert_array_equal(y, [[0.25, 0.1875, 0.125], [0, 0, 0], [0.5, 0.375, 0.25]])
    assert rows["score"].iloc[0].dtype == np.float32
    assert curves.of(cell, ["b"])["image"].tolist() == ["b", "b"]
    assert len(read_table(run / "curves.parquet", ["cell", "image"], [cell])) == 6


def test_curves_of_other_points_are_aligned_without_filling_in() -> None:
    rows = pd.DataFrame({"fraction": [[0.0, 1.0], [0.0, 0.5, 1.0]], "score": [[4.0, 2.0], [3.0, 2.0, 1.0]]})
    x, y = aligned(rows)
    assert x.tolist() == [0, 0.5, 1]
    np.testing.assert_array_equal(y, [[4, np.nan, 2], [3, 2, 1]])


def test_gathering_in_small_groups_gives_the_same_tables(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gather(run)
    curves = pq.read_table(run / "curves.parquet")
    monkeypatch.setattr("heatmark.benchmarks.tables.results.ROWS", 1)
    monkeypatch.setattr("heatmark.benchmarks.tables.curves.ROWS", 2)
    pd.testing.assert_frame_equal(gather(run), whole)
    again = pq.read_table(run / "curves.parquet")
    order = [("cell", "ascending"), ("metric", "ascending"), ("image", "ascending")]
    assert again.sort_by(order).equals(curves.sort_by(order))
    assert pq.ParquetFile(run / "curves.parquet").metadata.num_row_groups == 8  # two per cell and metric


def test_texts_are_objects_and_a_missing_direction_is_null(run: Path) -> None:
    results = gather(run)
    pd.testing.assert_frame_equal(read_table(run / "results.parquet"), results)
    texts = results.drop(columns=["value", *TIES, "higher_is_better", "depth", "correct", "probability", "replicate"])
    assert all(kind.kind == "O" for kind in texts.dtypes)
    assert texts.map(lambda cell: isinstance(cell, str)).all(axis=None)
    assert results["higher_is_better"].dtype == "boolean"
    neutral = [replace(METRICS[0], higher_is_better=None), METRICS[1]]
    again = synthetic.request([CAM, RANDOM], PICTURES, neutral)
    requests.write(run, replace(asked(), metrics=again.metrics, scores=again.scores))
    assert of(gather(run), "grad_cam", "deletion")["higher_is_better"].isna().all()
    summary = pd.read_csv(run / "summary.csv").set_index(["method", "metric"])
    assert np.isnan(summary.loc[("grad_cam", "deletion"), "rank"])
    assert summary.loc[("grad_cam", "insertion"), "rank"] == 1
    assert summary.loc[("grad_cam", "deletion"), "mean"] == 0.25


def test_damaged_parts_are_named(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    (part,) = [p for p in (run / "store" / "scores").glob("*/*.parquet") if digest(CAM.key, "insertion:rise-2018")
               in pq.read_table(p)["key"].to_pylist()]  # fmt: skip
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))
    assert not whole(run)
    assert whole(run)  # it is set aside
    results = gather(run)
    assert set(results.loc[results["metric"] != "", "method"]) == {"random"}
    assert part.name in caplog.text


def test_gathering_an_empty_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no run in"):
        gather(tmp_path / "nothing")


def test_jobs_are_found_by_the_rows_of_their_setting(run: Path) -> None:
    results, known = gather(run), jobs(run)
    row = results[results["method"] == "grad_cam"].iloc[0]
    assert [job.request.job for job in of_setting(known, row)] == [asked().job]
    assert of_setting(known, {**row, "weights": row["weights"] + " #0a0a"})
    assert not of_setting(known, {**row, "target_rule": "second"})
    assert row["device"] == FACTS["device_kind"]


def test_provenance_says_paths_as_they_were_given(tmp_path: Path) -> None:
    given = {"model.checkpoint": {"given": "/a/b.pth", "path": "/a/b.pth", "sha256": "1f"}}
    facts = {"given": given, "config": {"model": {"checkpoint": "../b.pth"}, "dataset": "shapes"}}
    synthetic.write(tmp_path, synthetic.request([CAM], PICTURES, **facts), NUMBERS)
    gather(tmp_path)
    (job,) = json.loads((tmp_path / "provenance.json").read_text())["jobs"]
    assert job["given"] == {"model.checkpoint": {"given": "../b.pth", "path": "/a/b.pth", "sha256": "1f"}}


def test_two_processes_may_publish_at_once(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_text("half")
        replaced(tmp_path / "table", lambda other: other.write_text("the other's"))
        assert path.read_text() == "half"
        path.write_text("whole")

    replaced(tmp_path / "table", write)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("table", "whole")]

"""What the tables say of pictures: labels, predictions and probabilities, in results and in the table of images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import Store, full_schema
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.tables.gathered import read_table

from .. import synthetic
from ..synthetic import digest

CELLS = [synthetic.cell("grad_cam"), synthetic.cell("random", "input")]
PICTURES = [
    Entry("right", digest(0), "B_of_the_file", "p1", label_index=1, target=1, predicted=1, position=2),
    Entry("wrong", digest(1), "a", label_index=0, target=2, predicted=2, position=1),
    Entry("unlabelled", digest(2), target=0, predicted=0, position=3),
    Entry("unknown", digest(3), "zebra", target=0, predicted=0, position=4),
]
BROKEN = Entry("broken", "", "a", position=0, reason="cannot read broken", label_index=0)
TOP = {0: ([1, 0, 2], [0.75, 0.2, 0.05]), 1: ([2, 1], [0.5, 0.25]), 2: ([0], [1.0])}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    synthetic.write(tmp_path, synthetic.request(CELLS, [*PICTURES, BROKEN]), synthetic.random_numbers())
    rows = [
        {"key": "predictions", "row": digest(i), "top": top, "probability": probability, "status": "ok", "reason": ""}
        for i, (top, probability) in TOP.items()
    ]
    rows += [{**rows[0], "key": "of another model", "probability": [0.1, 0.0, 0.0]}]
    Store(tmp_path).put("predictions", pa.Table.from_pylist(rows, schema=full_schema("predictions")))
    return tmp_path


def test_rows_of_results_say_what_was_predicted(run: Path) -> None:
    results = gather(run)
    scored = results[results["metric"] != ""]
    assert len(scored) == 2 * 4 * 2
    for _, rows in scored.groupby(["cell", "metric"]):
        found = rows.set_index("image")
        assert found["label"].to_dict() == {"right": "b", "wrong": "a", "unlabelled": "", "unknown": "zebra"}
        assert found["predicted"].to_dict() == {"right": "b", "wrong": "2", "unlabelled": "a", "unknown": "a"}
        assert found["target_name"].to_dict() == {"right": "b", "wrong": "2", "unlabelled": "a", "unknown": "a"}
        assert found["correct"].astype(object).fillna("none").to_dict() == {
            "right": True, "wrong": False, "unlabelled": "none", "unknown": "none",
        }  # fmt: skip
        np.testing.assert_array_equal(
            found["probability"][["right", "wrong", "unlabelled", "unknown"]], [0.75, 0.5, 1.0, np.nan]
        )
    assert results["correct"].dtype == "boolean"
    broken = results[results["image"] == "broken"].iloc[0]
    assert (broken["label"], broken["predicted"], broken["reason"]) == ("a", "", "cannot read broken")
    assert np.isnan(broken["probability"])


def test_every_picture_is_a_row_of_images_in_the_datasets_order(run: Path) -> None:
    gather(run)
    images = read_table(run / "images.parquet").set_index("image")
    assert list(images.index) == ["broken", "wrong", "right", "unlabelled", "unknown"]
    assert images["position"].tolist() == [0, 1, 2, 3, 4]
    assert [list(top) for top in images["top"]] == [[], ["2", "b"], ["b", "a", "2"], ["a"], []]
    assert list(images.loc["right", "top_probability"]) == pytest.approx([0.75, 0.2, 0.05])
    assert images["status"].to_dict()["broken"] == "error"
    assert images.loc["broken", "reason"] == "cannot read broken"
    assert images["group"].to_dict()["right"] == "p1"
    assert images["digest"].tolist()[:2] == ["", digest(1)]
    assert set(images["images_digest"]) == {pd.read_parquet(run / "results.parquet")["images_digest"].iloc[0]}


def test_a_setting_has_each_picture_once_as_its_newest_job_has_it(run: Path) -> None:
    other = synthetic.request(CELLS[:1], [replace(PICTURES[0], label="a", label_index=0), *PICTURES[1:], BROKEN])
    requests.write(run, replace(other, job="0" * 64, written=2.0))
    second = synthetic.request(CELLS, PICTURES[:1], target_rule="second")
    requests.write(run, second)
    gather(run)
    images = read_table(run / "images.parquet")
    assert images.groupby("target_rule").size().to_dict() == {"predicted": 5, "second": 1}
    found = images[images["target_rule"] == "predicted"].set_index("image")
    assert (found.loc["right", "label"], found.loc["right", "correct"]) == ("a", False)

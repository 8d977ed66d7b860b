"""Counterfactual pictures in a sweep: whose they are, when they are rendered, and which rows hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from heatmark.benchmarks.data.base import Counterfactual, Sample, pixels_digest
from heatmark.benchmarks.runs.clean import clean
from heatmark.benchmarks.runs.status import Count, status
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.estimate import estimate
from heatmark.benchmarks.sweep.prepare import prepare
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.tables.curves import StoredCurves
from heatmark.benchmarks.tables.gather import gather
from heatmark.metrics.base import Explained, Metric
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion
from tests.benchmarks.sweep.toys import Forwards, Red, Toys, classifier, swept, toys

IMAGES = 4
METRICS: Mapping[str, Metric] = {
    "removed": Deletion(steps=2, baseline="counterfactual"),
    "inserted": Insertion(steps=2, baseline="counterfactual"),
    "zeros": Deletion(steps=2, baseline="zero"),
}
"""Both ends of the first two are equal pictures."""


@dataclass(frozen=True)
class Paired(Toys):
    """Toys with counterfactuals by position; it notes which are rendered."""

    others: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    rendered: list[int] = field(default_factory=list)

    def __getitem__(self, index: int) -> Sample:
        found = super().__getitem__(index)
        if index not in self.others:
            return found
        other = Image.fromarray(self.others[index])

        def render() -> Image.Image:
            self.rendered.append(index)
            return other

        return replace(found, counterfactual=Counterfactual(pixels_digest(other), render))


def paired(*which: int, **facts: Any) -> Paired:
    plain = toys(IMAGES)
    return Paired(plain.pictures, plain.labels, others={n: plain.pictures[n] // 2 for n in which}, **facts)


def sweep(root: Path, dataset: Paired, metrics: Mapping[str, Metric] = METRICS, **options: Any) -> Any:
    return swept(root, {"red": Red()}, metrics, dataset, **{"target": "label", **options})


def test_the_curve_runs_from_the_picture_to_its_counterfactual(tmp_path: Path) -> None:
    data, model = paired(*range(IMAGES)), classifier()
    found = sweep(tmp_path, data)
    (key,) = {score.curve for score in found.request.scores if score.metric == "removed"}
    rows = found.rows("curves", key, ["counterfactuals"])
    pictures = [[Image.fromarray(each[n]) for n in range(IMAGES)] for each in (data.pictures, data.others)]
    ends = [torch.stack([model.preprocessing.image(picture) for picture in each]) for each in pictures]
    with torch.no_grad():
        expected = [model.module(each).softmax(1)[range(IMAGES), list(data.labels)] for each in ends]
    assert [row["y"][0] for row in rows] == pytest.approx(expected[0].tolist(), abs=1e-6)
    assert [row["y"][-1] for row in rows] == pytest.approx(expected[1].tolist(), abs=1e-6)
    assert sorted(data.rendered) == list(range(IMAGES))  # once each, whatever number of metrics and batches


def test_the_values_are_those_of_the_metric_itself(tmp_path: Path) -> None:
    data, model = paired(*range(IMAGES)), classifier()
    found = sweep(tmp_path, data)
    images, others = (
        torch.stack([model.preprocessing.image(Image.fromarray(each[n])) for n in range(IMAGES)])
        for each in (data.pictures, data.others)
    )
    targets = torch.tensor(data.labels)
    batch = Explained(
        model.module, images, targets, images[:, 0], None, lambda *_: images[:, 0], counterfactuals=others, batch_size=2
    )
    assert found.values("red", "inserted") == METRICS["inserted"](batch).values.tolist()


def test_a_picture_without_one_has_the_reason_and_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    found, whole = sweep(tmp_path / "some", paired(0, 2)), sweep(tmp_path / "all", paired(*range(IMAGES)))
    rows = found.scores("red", "removed")
    assert [row["reason"] for row in rows] == ["", "the image has no counterfactual"] * 2
    assert [row["status"] for row in rows] == ["ok"] * IMAGES
    assert found.values("red", "removed")[::2] == whole.values("red", "removed")[::2]
    assert found.values("red", "zeros") == whole.values("red", "zeros")


def test_a_picture_of_another_class_has_none(tmp_path: Path) -> None:
    data = paired(*range(IMAGES))
    rows = sweep(tmp_path, data, target=2).scores("red", "removed")  # the labels are 0, 1, 2, 3
    said = "the image has no counterfactual of the class explained"
    assert [row["reason"] for row in rows] == [said, said, "", said]
    assert data.rendered == [2]


def test_a_dataset_without_any_costs_no_pass_and_says_so(tmp_path: Path) -> None:
    models = [classifier(), classifier()]
    forwards = [Forwards(model.module) for model in models]
    found = sweep(tmp_path / "a", paired(), model=models[0])
    sweep(tmp_path / "b", paired(), {"zeros": METRICS["zeros"]}, model=models[1])
    assert forwards[0].images == forwards[1].images
    assert np.isnan(found.values("red", "removed")).all()
    (metric,) = [metric for metric in found.request.metrics if metric.name == "removed"]
    assert metric.skipped == "the dataset has no counterfactuals"


def test_nothing_is_rendered_where_nothing_needs_it(tmp_path: Path) -> None:
    data = paired(*range(IMAGES))
    sweep(tmp_path, data, {"zeros": METRICS["zeros"]})
    assert data.rendered == []
    sweep(tmp_path, data)
    data.rendered.clear()
    sweep(tmp_path, data)  # all is stored
    assert data.rendered == []


def test_a_corrected_counterfactual_outdates_the_rows_of_one_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sweep(tmp_path, paired(*range(IMAGES)))
    values = {name: before.values("red", name) for name in METRICS}
    data = paired(*range(IMAGES))
    data.others[1][:] = 255
    put, counts = Store.put, dict[str, int]()

    def counted(store: Store, artefact: str, rows: Any) -> None:
        counts[artefact] = counts.get(artefact, 0) + len(rows)
        put(store, artefact, rows)

    monkeypatch.setattr(Store, "put", counted)
    after = sweep(tmp_path, data)
    assert {artefact: rows for artefact, rows in counts.items() if rows} == {
        "curves": 2,
        "scores": 2,
    }  # two metrics that need it
    assert data.rendered == [1]
    for name, those in values.items():
        same = [there == here for there, here in zip(those, after.values("red", name), strict=True)]
        assert same == [True, name == "zeros", True, True]


def test_a_counterfactual_that_cannot_be_used_costs_its_picture_the_metric_alone(tmp_path: Path) -> None:
    data = paired(*range(IMAGES))
    data.others[3] = np.zeros((5, 5, 3), np.uint8)
    found = sweep(tmp_path, data)
    assert np.isfinite(found.values("red", "zeros")).all()
    (key,) = {score.curve for score in found.request.scores if score.metric == "removed"}
    rows = found.rows("curves", key, ["counterfactuals"])
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "error"]
    assert "the counterfactual of 3.png has (5, 5) pixels, its picture (10, 12)" in rows[3]["reason"]


def test_a_dry_run_says_the_passes_and_a_finished_one_has_none(tmp_path: Path) -> None:
    metrics = {name: METRICS[name] for name in ("removed", "inserted")}
    model, data = classifier(), paired(*range(IMAGES))
    forwards = Forwards(model.module)
    settings = SweepSettings(device="cpu", batch_size=1, timing=False, block_size=3, target="label")

    def passes() -> dict[str, float]:
        plan = prepare(model, data, {"red": Red()}, metrics, settings, lambda *_: 1)
        return {cost.name: cost.passes for cost in estimate(plan, Store(tmp_path), lambda _: 1.0).costs}

    said = passes()
    looking = forwards.images  # at the first picture, before a job or its estimate begins
    assert said.pop("red") == 2 * IMAGES  # assumed, because it does not say
    assert said == {"": 4, "removed": 12, "inserted": 4}  # both ends of the second are known by then
    sweep(tmp_path, data, metrics, model=model, batch_size=1)
    assert forwards.images == 2 * looking + sum(said.values())
    assert sum(passes().values()) == 0


def test_tables_status_and_clean_find_the_curves(tmp_path: Path) -> None:
    found = sweep(tmp_path, paired(0, 2))
    results = gather(tmp_path)
    assert results[results["metric"] == "removed"]["reason"].tolist() == ["", "the image has no counterfactual"] * 2
    curves = StoredCurves(tmp_path / "curves.parquet").of(results["cell"].iloc[0])
    assert curves.groupby("metric", observed=True)["image"].agg(list).to_dict() == {
        "removed": ["0.png", "2.png"], "inserted": ["0.png", "2.png"], "zeros": [f"{n}.png" for n in range(IMAGES)],
    }  # fmt: skip
    (job,) = status(tmp_path, 0.0)
    assert job.rows == Count(done=3 * IMAGES)
    everything = found.everything()
    assert clean(tmp_path, 0.0, 0.0).rows == 0
    assert found.everything() == everything


def test_a_failed_curve_is_an_error_of_the_table_and_of_the_status(tmp_path: Path) -> None:
    data = paired(*range(IMAGES))
    data.others[3] = np.zeros((5, 5, 3), np.uint8)
    sweep(tmp_path, data, {"removed": METRICS["removed"]})
    assert gather(tmp_path)["status"].tolist() == ["ok", "ok", "ok", "error"]
    (job,) = status(tmp_path, 0.0)
    assert job.rows == Count(done=3, errors=1)

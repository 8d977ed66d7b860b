"""Tests of a job's record: what a run keeps of a job, and what the same job finds when it is given again."""

from pathlib import Path

import numpy as np
import pytest

from heatmark.benchmarks import api, requests
from heatmark.benchmarks.runs.forget import Which, forget
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.pictures import pictures
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.shards import Shard
from heatmark.benchmarks.tables.gather import gather
from tests.benchmarks.sweep.test_edits import Inside
from tests.benchmarks.sweep.toys import Mean, Red, classifier, swept, toys

GIVEN = {"model": "net", "dataset": {"root": "a", "limit": 3}, "method": "m"}
METHODS, METRICS = {"m": Red()}, {"mean": Mean()}


def test_a_job_is_running_and_then_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(api, "run", lambda *_: seen.append(requests.current(tmp_path)[0].facts["status"]))
    swept(tmp_path, METHODS, METRICS)
    monkeypatch.undo()
    assert (seen, swept(tmp_path, METHODS, METRICS).request.facts["status"]) == (["running"], "done")


def test_a_job_that_could_not_run_says_why_until_its_model_and_dataset_do(tmp_path: Path) -> None:
    JobRecord(tmp_path, {**GIVEN, "target": "tabyy"}, "net").failed("no class tabyy")
    (failed,) = requests.current(tmp_path)
    assert (failed.facts["status"], failed.facts["reason"], failed.facts["model"]) == ("error", "no class tabyy", "net")
    assert swept(tmp_path, METHODS, METRICS, given={**GIVEN, "target": "tabby"}).request.facts["status"] == "done"


def test_options_of_speed_and_more_pictures_are_the_same_job(tmp_path: Path) -> None:
    for options in ({"dataset": {"root": "a", "limit": 9}}, {"batch_size": 3, "keep_maps": "none", "timing": {}}):
        assert JobRecord(tmp_path, {**GIVEN, **options}).stem == JobRecord(tmp_path, GIVEN).stem
    for options in ({"dataset": {"root": "b"}}, {"method": "n"}, {"model": "other"}, {"target": 1}):
        assert JobRecord(tmp_path, {**GIVEN, **options}).stem != JobRecord(tmp_path, GIVEN).stem


def test_the_first_job_of_a_run_tunes_the_batch_size_for_all_after_it(tmp_path: Path) -> None:
    record = JobRecord(tmp_path, GIVEN)
    assert [record.batch_size("d", "cpu", lambda n=n: n) for n in (5, 7)] == [5, 5]
    assert JobRecord(tmp_path, {"other": 1}).batch_size("d", "cpu", lambda: 7) == 5
    assert record.batch_size("e", "cpu", lambda: 7) == 7
    assert record.batch_size("d", "cuda", lambda: 8) == 8


def test_fewer_pictures_given_again_are_fewer_entries(tmp_path: Path) -> None:
    data = toys()
    few = type(data)(data.pictures[:4], data.labels[:4])
    assert len(swept(tmp_path, METHODS, METRICS, data).entries) == 7
    assert len(swept(tmp_path, METHODS, METRICS, few).entries) == 4


def test_a_corrected_label_replaces_the_target_in_every_request_of_its_subject(tmp_path: Path) -> None:
    data = toys()
    right = type(data)(data.pictures, [3, *data.labels[1:]])
    swept(tmp_path, METHODS, METRICS, data, given={**GIVEN, "method": "m"}, target="label")
    swept(tmp_path, METHODS, METRICS, right, given={**GIVEN, "method": "n"}, target="label")
    assert [[r.entries[0].target for r in requests.current(tmp_path)]] == [[3, 3]]


def test_shards_are_united_with_their_counts(tmp_path: Path) -> None:
    whole = swept(tmp_path / "whole", METHODS, METRICS).request
    for number in range(3):
        part = swept(tmp_path / "parts", METHODS, METRICS, shard=Shard(number, 3)).request
    names = ("images", "labelled", "accuracy", "status")
    assert {n: part.facts[n] for n in names} == {n: whole.facts[n] for n in names}
    assert part.entries == whole.entries


def test_a_whole_run_takes_the_place_of_shards(tmp_path: Path) -> None:
    swept(tmp_path, METHODS, METRICS, shard=Shard(1, 3))
    swept(tmp_path, METHODS, METRICS)
    assert [path.name[33:] for path in (tmp_path / "requests").iterdir()] == ["0-of-1.json"]


def test_a_failure_of_the_same_call_stays(tmp_path: Path) -> None:
    JobRecord(tmp_path, {**GIVEN, "layer": "nowhere"}, "net", started=10.0).failed("no such layer")
    swept(tmp_path, METHODS, METRICS, given={**GIVEN, "layer": "0"}, started=10.0)
    assert sorted(r.facts["status"] for r in requests.current(tmp_path)) == ["done", "error"]
    swept(tmp_path, METHODS, METRICS, given={**GIVEN, "layer": "0"})
    assert [r.facts["status"] for r in requests.current(tmp_path)] == ["done"]


def test_other_weights_leave_the_targets_of_the_first_ones_alone(tmp_path: Path) -> None:
    for seed, name in ((4, "m"), (5, "n")):
        swept(tmp_path, METHODS, METRICS, model=classifier(seed), given={**GIVEN, "method": name})
    first, second = sorted(requests.current(tmp_path), key=lambda request: request.written)
    alone = [swept(tmp_path / str(seed), METHODS, METRICS, model=classifier(seed)).entries for seed in (4, 5)]
    assert [first.entries, second.entries] == alone
    assert [e.target for e in first.entries] != [e.target for e in second.entries]


def test_a_damaged_request_or_batch_size_is_set_aside(tmp_path: Path) -> None:
    swept(tmp_path, METHODS, METRICS, given=GIVEN)
    (path,) = (tmp_path / "requests").iterdir()
    for content in (b"", b"{", path.read_bytes().replace(b'"implementation"', b'"implementatoin"')):
        path.write_bytes(content)
        assert requests.current(tmp_path) == []
        assert (tmp_path / "damaged" / path.name).exists()
        assert len(swept(tmp_path, METHODS, METRICS, given=GIVEN).entries) == 7
    record = JobRecord(tmp_path, GIVEN)
    record.batch_size("d", "cpu", lambda: 5)
    (size,) = (tmp_path / "batch_sizes").iterdir()
    size.write_bytes(b"")
    assert record.batch_size("d", "cpu", lambda: 6) == 6


def test_a_metric_is_skipped_where_no_picture_of_any_shard_has_what_it_needs(tmp_path: Path) -> None:
    masks = {0: np.ones((12, 10), bool)}  # of the first shard's first picture alone
    for number in (0, 1):
        found = swept(
            tmp_path, METHODS, {"inside": Inside()}, toys(masks=masks), shard=Shard(number, 2), target="label"
        )
    assert found.request.metrics[0].skipped == ""
    rows = gather(tmp_path)
    assert rows["value"].notna().sum() == 1
    assert set(rows["reason"]) == {"", "the image has no mask"}
    none = swept(tmp_path / "none", METHODS, {"inside": Inside()}, toys(), target="label")
    assert none.request.metrics[0].skipped == "the dataset has no masks"
    assert gather(tmp_path / "none")["status"].tolist() == ["skipped"]


def test_pictures_that_are_stored_are_not_stored_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatmark.benchmarks.sweep.run.GALLERY", 2)
    monkeypatch.setattr("heatmark.benchmarks.sweep.pictures.GALLERY", 2)
    encoded = []
    monkeypatch.setattr(
        "heatmark.benchmarks.sweep.run.pictures", lambda block, *how: encoded.append(1) or pictures(block, *how)
    )
    for _ in range(2):
        swept(tmp_path, METHODS, METRICS)
    assert encoded == [1]
    assert sum(len(batch) for batch in Store(tmp_path).batches("pictures")) == 2


def test_forgetting_one_of_two_names_leaves_the_other(tmp_path: Path) -> None:
    swept(tmp_path, {"m": Red(), "again": Red()}, METRICS)
    removed = forget(tmp_path, Which(method=["again"]))
    assert removed == ["again at input of net on toys"]
    rows = gather(tmp_path)
    assert (set(rows["method"]), len(rows)) == ({"m"}, 7)

"""Tests of rows reused from other runs: what is computed, what is recorded, and that nothing else is touched."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.reuse import reuse
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.metrics.deletion import Deletion
from tests.benchmarks.runs.made import put
from tests.benchmarks.sweep.toys import Forwards, Mean, Notes, classifier, counting, swept

METRICS = {"deletion": Deletion(steps=3), "mean": Mean()}
OLD = {"grad_cam": GradCAM()}
BOTH = {**OLD, "layer_cam": LayerCAM()}


def tree(root: Path) -> dict[str, str]:
    """Return the digest of every file of a folder, and the folders."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def read_only(tmp_path: Path) -> Any:
    """A finished run that nobody may write into."""
    root = tmp_path / "published"
    swept(root, OLD, METRICS)
    for path in (*root.rglob("*"), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield root
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def put_counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The keys of the rows that were computed, by artefact."""
    stored: dict[str, set[str]] = {}
    before = Store.put

    def counted(store: Store, artefact: str, rows: Any) -> None:
        if len(rows):
            stored.setdefault(artefact, set()).update(rows["key"].to_pylist())
        before(store, artefact, rows)

    monkeypatch.setattr(Store, "put", counted)
    return stored


def test_only_the_new_method_is_computed_and_nothing_changes_there(
    read_only: Path, tmp_path: Path, put_counts: dict[str, set[str]]
) -> None:
    before, model = tree(read_only), classifier()
    alone = swept(tmp_path / "alone", BOTH, METRICS)
    put_counts.clear()
    forwards = Forwards(model.module)
    found = swept(tmp_path / "mine", BOTH, METRICS, model=model, reuse=[str(read_only)])
    of_new = {s.key for s in found.request.scores if s.cell == found.cell("layer_cam")}
    assert put_counts["maps"] == {found.cell("layer_cam")}
    assert put_counts["scores"] == of_new
    assert put_counts.keys() == {"maps", "curves", "scores"}, "no prediction and no picture"
    assert found.everything() == alone.everything()
    assert tree(read_only) == before
    again = Forwards(model.module)
    swept(tmp_path / "old", OLD, METRICS, model=model, reuse=[str(read_only)])
    assert again.images < forwards.images / 4, "the layers are looked up on one picture"


def test_the_origin_is_recorded_and_stays(read_only: Path, tmp_path: Path) -> None:
    found = swept(tmp_path / "mine", BOTH, METRICS, reuse=[str(read_only)])
    (origin,) = found.request.facts["reused"]
    assert (origin["folder"], origin["run"]) == (str(read_only), "published")
    assert origin["rows"] == 7 * 6, "a prediction, a picture, a map, a curve and two scores per image"
    assert origin["parts"] == len(list((read_only / "store").rglob("*.parquet")))
    Store(tmp_path / "mine").compact()
    again = swept(tmp_path / "mine", BOTH, METRICS, reuse=[str(read_only)])
    assert again.request.facts["reused"] == [origin], "all is there: nothing is brought a second time"
    once = swept(tmp_path / "mine", BOTH, METRICS)
    assert once.request.facts["reused"] == [origin], "where it came from is still true"


def test_parts_are_linked_or_copied(read_only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(tmp_path / "linked", OLD, METRICS, reuse=[str(read_only)])
    parts = {p.relative_to(read_only) for p in (read_only / "store").rglob("*.parquet")}
    assert all((tmp_path / "linked" / part).samefile(read_only / part) for part in parts)

    def refused(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused)
    swept(tmp_path / "copied", OLD, METRICS, reuse=[str(read_only)])
    assert all((tmp_path / "copied" / p).read_bytes() == (read_only / p).read_bytes() for p in parts)
    assert not any((tmp_path / "copied" / part).samefile(read_only / part) for part in parts)


@pytest.mark.parametrize("artefact", ["maps", "scores"])
def test_a_damaged_part_is_left_out_with_a_warning_and_stays(
    artefact: str, tmp_path: Path, put_counts: dict[str, set[str]], caplog: pytest.LogCaptureFixture
) -> None:
    swept(tmp_path / "other", OLD, METRICS)
    for path in (tmp_path / "other" / "store" / artefact).rglob("*.parquet"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    before = tree(tmp_path / "other")
    put_counts.clear()
    found = swept(tmp_path / "mine", OLD, METRICS, reuse=[str(tmp_path / "other")])
    assert put_counts.keys() == {artefact}
    assert "is not reused" in caplog.text
    assert tree(tmp_path / "other") == before
    assert found.everything() == swept(tmp_path / "alone", OLD, METRICS).everything()


def test_errors_of_another_run_are_not_taken_over(tmp_path: Path) -> None:
    broken = Notes([1])

    def fail(images: Any) -> None:
        if broken:
            raise RuntimeError("out of memory there")

    methods = {"red": counting(Notes(), fail), **OLD}
    swept(tmp_path / "other", methods, METRICS)
    broken.clear()
    mine = swept(tmp_path / "mine", methods, METRICS, reuse=[str(tmp_path / "other")])
    key = mine.cell("red")
    assert Store(tmp_path / "other").read("maps", [key])["status"].to_pylist() == ["error"]
    assert Store(tmp_path / "mine").read("maps", [key])["status"].to_pylist() == ["ok"] * 7


def test_of_a_part_with_an_error_the_other_rows_are_copied(tmp_path: Path) -> None:
    put(tmp_path / "other", "scores", "k", ["a", "b"])
    part = Store(tmp_path / "other").read("scores", ["k"])
    failed = part.set_column(part.column_names.index("status"), "status", [["ok", "error"]])
    Store(tmp_path / "mixed").put("scores", failed)
    store = Store(tmp_path / "mine")
    (said,) = reuse(store, [tmp_path / "mixed"], {"scores": ["k"]})
    assert store.read("scores", ["k"])["row"].to_pylist() == ["a"]
    assert (said["rows"], said["parts"]) == (1, 1)


def test_the_first_folder_is_asked_first_and_what_is_there_stays(tmp_path: Path) -> None:
    put(tmp_path / "mine", "scores", "k", ["0"], value=0.0)
    put(tmp_path / "a", "scores", "k", ["1", "2"], value=0.1)
    put(tmp_path / "b", "scores", "k", ["0", "1", "2", "3"], value=0.2)
    put(tmp_path / "b", "scores", "unasked", ["1"])
    put(tmp_path / "c", "scores", "k", ["3"], value=0.3)
    put(tmp_path / "a", "scores", "k", ["1", "2"], status="ok", value=0.1, reason="the same rows in another part")
    store = Store(tmp_path / "mine")
    said = reuse(store, [tmp_path / name for name in "abc"], {"scores": ["k"]})
    assert [(each["run"], each["rows"], each["parts"]) for each in said] == [("a", 2, 1), ("b", 1, 1), ("c", 0, 0)]
    stored = pa.concat_tables(pa.Table.from_batches([batch]) for batch in store.batches("scores"))
    assert sorted(zip(stored["row"].to_pylist(), stored["value"].to_pylist(), strict=True)) == [
        ("0", 0.0), ("1", 0.1), ("2", 0.1), ("3", 0.2),
    ], "each once, whatever the parts are called"  # fmt: skip


def test_of_a_part_with_rows_of_other_jobs_only_those_asked_for_come(tmp_path: Path) -> None:
    put(tmp_path / "other", "scores", "k", ["1"])
    put(tmp_path / "other", "scores", "later", ["1"], status="error")
    Store(tmp_path / "other").compact()
    store = Store(tmp_path / "mine")
    reuse(store, [tmp_path / "other"], {"scores": ["k"]})
    found = store.present("scores", ["k", "later"])
    assert {key: list(rows) for key, rows in found.items()} == {"k": ["1"], "later": []}, "no error of theirs"


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="photos has no store: expected the folder of a run"):
        swept(tmp_path / "mine", OLD, METRICS, reuse=[str(tmp_path / "photos")])
    assert requests.read(tmp_path / "mine")[0].entries == []


def test_another_list_is_the_same_job(tmp_path: Path) -> None:
    for reused in ([], ["x"]):
        (tmp_path / "x" / "store").mkdir(parents=True, exist_ok=True)
        given = {"model": "net", "dataset": "toys", "reuse": reused}
        swept(tmp_path / "mine", OLD, METRICS, given=given, reuse=[str(tmp_path / r) for r in reused])
    assert len(requests.read(tmp_path / "mine")) == 1

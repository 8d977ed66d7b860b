"""Tests of an exported run: what it holds, what it leaves out, and that it is as good as the run where it is read."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.runs.export import Parts, export
from heatmark.benchmarks.runs.status import Count, status
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.metrics.deletion import Deletion
from tests.benchmarks.runs.made import ENTRIES, put, put_all, request, write
from tests.benchmarks.sweep.test_reuse import tree
from tests.benchmarks.sweep.toys import Mean, swept

ROOT = "/home/somebody/my pictures"
FACTS = {
    "checkpoint": "/data/w.pt", "command": ["heatmark", f"dataset.root={ROOT}"], "cwd": "/home/somebody",
    "classes": ["a /b/ c"], "config": {"dataset": {"root": ROOT}}, "reused": [{"folder": "/mnt/x/base", "rows": 1}],
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of somebody whose folders are his own, with a row that nobody asks for."""
    entries = [*ENTRIES, replace(ENTRIES[0], image="d.png", digest="", reason=f"cannot read {ROOT}/d.png")]
    root = write(tmp_path / "mine", request(facts=FACTS, entries=entries))
    put_all(root)
    put(root, "maps", "k-grad_cam", ["z.3"], status="error", reason="at /home/somebody/code.py:3")
    put(root, "maps", "k-nobody asks", ["a.3"])
    return root


def no_tables(folder: Path) -> None:
    (folder / "results.parquet").write_text("tables")


def test_no_absolute_path_leaves_the_machine(run: Path, tmp_path: Path) -> None:
    write(run, request(facts=FACTS, entries=[*ENTRIES, replace(ENTRIES[0], image="z", digest="z", reason="")]))
    export(run, tmp_path / "out", Parts(), no_tables)
    (found,) = requests.read(tmp_path / "out")
    assert found.facts["checkpoint"] == "w.pt"
    assert found.facts["command"] == ["heatmark", "dataset.root=my pictures"]
    assert (found.facts["cwd"], found.facts["config"]) == ("~", {"dataset": {"root": "my pictures"}})
    assert found.facts["reused"] == [{"folder": "base", "rows": 1}]
    assert found.facts["classes"] == ["a /b/ c"], "names of classes stay"
    assert "z.3" in Store(tmp_path / "out").present("maps", ["k-grad_cam"])["k-grad_cam"]
    reasons = Store(tmp_path / "out").read("maps", ["k-grad_cam"], rows=["z.3"])["reason"].to_pylist()
    assert reasons == ["at code.py:3"]
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert "absolute paths are replaced" in manifest["paths"]


def test_reasons_of_pictures_lose_their_folder(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", Parts(), no_tables)
    (found,) = requests.read(tmp_path / "out")
    assert [entry.reason for entry in found.entries if entry.reason] == ["cannot read d.png"]
    assert [entry.image for entry in found.entries] == [entry.image for entry in requests.read(run)[0].entries]


@pytest.mark.parametrize("what", [Parts(), Parts(maps=True), Parts(pictures=True)])
def test_maps_and_pictures_only_where_asked_for(what: Parts, run: Path, tmp_path: Path) -> None:
    before = tree(run)
    size = export(run, tmp_path / "out", what, no_tables)
    assert tree(run) == before
    assert size == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    store = Store(tmp_path / "out")
    maps = store.read("maps", ["k-grad_cam", "k-nobody asks"]).to_pylist()
    assert [row["row"] for row in maps] == ["a.3", "b.3", "c.3"]
    assert {row["map"] for row in maps} == ({b"\0" * 16} if what.maps else {None})
    assert len(store.read("pictures", ["pics"])) == (3 if what.pictures else 0)
    for artefact, key in (("predictions", "preds"), ("curves", "curve/k-rise"), ("scores", "pointing/k-rise")):
        assert len(store.read(artefact, [key])) == 3
    assert status(tmp_path / "out", 0.0)[0].rows == Count(done=12, errors=status(run, 0.0)[0].rows.errors)


def test_the_manifest_holds_every_files_digest(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", Parts(), no_tables)
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (manifest["schema"], manifest["run"], manifest["maps"], manifest["pictures"]) == (1, "mine", False, False)
    assert manifest["files"]["results.parquet"] == hashlib.sha256(b"tables").hexdigest()
    assert set(manifest["files"]) == {name for name, digest in tree(tmp_path / "out").items() if digest} - {
        "export.json"
    }


def test_an_export_is_reused_without_its_maps_and_its_tables_are_the_runs(tmp_path: Path) -> None:
    methods, metrics = {"grad_cam": GradCAM(), "layer_cam": LayerCAM()}, {"deletion": Deletion(steps=3)}
    first = swept(tmp_path / "run", methods, metrics)
    export(tmp_path / "run", tmp_path / "out", Parts(), gather)
    pd.testing.assert_frame_equal(read_table(tmp_path / "out" / "results.parquet"), gather(tmp_path / "run"))
    again = swept(tmp_path / "again", methods, {**metrics, "mean": Mean()}, reuse=[str(tmp_path / "out")])
    assert again.values("grad_cam", "deletion") == first.values("grad_cam", "deletion")
    alone = swept(tmp_path / "alone", methods, {"mean": Mean()})
    assert again.values("layer_cam", "mean") == alone.values("layer_cam", "mean"), "maps are computed again for it"


def test_mistakes_are_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="there exists; an exported run is never changed"):
        export(run, tmp_path / "there", Parts(), no_tables)
    with pytest.raises(ValueError, match="there has no requests"):
        export(tmp_path / "there", tmp_path / "out", Parts(), no_tables)
    assert not (tmp_path / "out").exists()


def test_a_request_that_names_another_folder_writes_nothing_there(run: Path, tmp_path: Path) -> None:
    (path,) = (run / "requests").glob("*.json")
    crafted = json.loads(path.read_text()) | {"job": "../../elsewhere"}
    (run / "requests" / "elsewhere.0-of-1.json").write_text(json.dumps(crafted))
    export(run, tmp_path / "out", Parts(), no_tables)
    assert not list(tmp_path.glob("*elsewhere*"))
    assert [each.job for each in requests.read(tmp_path / "out")] == ["j" * 64]

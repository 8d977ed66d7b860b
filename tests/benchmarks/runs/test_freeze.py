import hashlib
import json
from pathlib import Path

import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.runs.freeze import freeze
from heatmark.benchmarks.store import Store
from tests.benchmarks.runs.made import ENTRIES, put, put_all, request, write

PICTURES = ["pics", "another model's"]
TABLES = ["results.parquet", "results.csv", "timing.parquet", "curves.parquet", "cards.parquet", "provenance.json"]
MAPS = ["k-grad_cam", "k-rise", "k-nobody asks"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with tables, whose third picture is not shown."""
    root = write(tmp_path / "mine", request())
    put_all(root)
    for path in (root / "store" / "pictures").rglob("*.parquet"):
        path.unlink()
    put(root, "pictures", "pics", [entry.digest for entry in ENTRIES[:2]])
    put(root, "pictures", "another model's", ["c"])
    put(root, "maps", "k-nobody asks", ["a.3"])
    for name in TABLES:
        (root / name).write_text(name)
    (root / "report.html").write_text("made again")
    return root


def test_a_frozen_run_has_what_figures_and_report_need(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frozen" / "mine"
    written = freeze(run, folder)
    assert written == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    names = {path.name for path in folder.iterdir()}
    assert names == {*TABLES, "requests", "store", "frozen.json"}
    assert requests.read(folder) == requests.read(run)
    store = Store(folder)
    pictures, maps = (store.present(a, keys) for a, keys in (("pictures", PICTURES), ("maps", MAPS)))
    assert {key: set(rows) for key, rows in pictures.items() if len(rows)} == {"pics": {"a", "b"}}
    shown = {"a.3", "b.3"}
    assert {key: set(rows) for key, rows in maps.items() if len(rows)} == {"k-grad_cam": shown, "k-rise": shown}
    assert not (folder / "store" / "scores").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_the_manifest_holds_versions_and_digests(run: Path, tmp_path: Path) -> None:
    freeze(run, tmp_path / "f")
    manifest = json.loads((tmp_path / "f" / "frozen.json").read_text())
    assert (manifest["schema"], manifest["run"]) == (1, "mine")
    assert {"python", "heatmark", "matplotlib"} <= set(manifest["versions"])
    assert manifest["files"]["results.csv"] == hashlib.sha256(b"results.csv").hexdigest()
    there = {p.relative_to(tmp_path / "f").as_posix() for p in (tmp_path / "f").rglob("*") if p.is_file()}
    assert set(manifest["files"]) == there - {"frozen.json"}


def test_mistakes_are_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="there exists; a frozen run is never changed"):
        freeze(run, tmp_path / "there")
    (run / "results.parquet").unlink()
    with pytest.raises(ValueError, match="lacks requests or tables; sweep it, then heatmark gather name=mine"):
        freeze(run, tmp_path / "f")
    assert not (tmp_path / "f").exists()

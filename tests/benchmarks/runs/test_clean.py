import os
from dataclasses import replace
from pathlib import Path

import pytest

from heatmark.benchmarks.runs.clean import Waste, clean
from heatmark.benchmarks.runs.forget import Which, forget
from heatmark.benchmarks.runs.status import Count, status
from heatmark.benchmarks.schema import ARTEFACTS
from heatmark.benchmarks.store import Store
from tests.benchmarks.runs.made import ENTRIES, put, put_all, request, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    put_all(write(tmp_path, request()))
    return tmp_path


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def rows(root: Path) -> set[tuple[str, str, str]]:
    batches = ((a, batch) for a in ARTEFACTS for batch in Store(root).batches(a, []))
    return {(a, row["key"], row["row"]) for a, batch in batches for row in batch.to_pylist()}


def test_a_run_without_waste_stays(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert clean(run, 0.0, 0.0) == Waste(0, 0, 0, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before


def test_what_was_forgotten_is_removed(run: Path) -> None:
    before, kept = size(run / "store"), {r for r in rows(run) if "rise" not in r[1]}
    forget(run, Which(method=["rise"]))
    waste = clean(run, 0.0, 0.0)
    assert waste == Waste(3 + 3 + 3 + 3 + 1, 5, 0, 0, before - size(run / "store"))
    assert rows(run) == kept
    assert waste.size > 0


def test_a_part_that_is_partly_asked_for_is_written_again(run: Path) -> None:
    write(run, request(entries=ENTRIES[:2]))
    before = size(run / "store")
    waste = clean(run, 0.0, 0.0)
    assert (waste.rows, waste.parts) == (2 + 2 * 4, 10)
    assert waste.size == before - size(run / "store")
    assert {row.partition(".")[0] for a, _, row in rows(run) if a != "timings"} == {"a", "b"}
    assert status(run, 0.0)[0].rows == Count(done=8, missing=4)  # the shard_size of 3 is still what it says
    values = Store(run).read("maps", ["k-rise"]).to_pylist()
    assert [(v["row"], v["map"]) for v in values] == [("a.3", b"\0" * 16), ("b.3", b"\0" * 16)]


def test_an_outdated_mask_and_an_earlier_target_are_removed(run: Path) -> None:
    put(run, "scores", "pointing/k-rise", ["a.3.older-mask"])
    put(run, "maps", "k-rise", ["a.4"])
    assert clean(run, 0.0, 0.0).rows == 2


def test_a_failed_cell_and_what_two_jobs_ask_for_stay(run: Path) -> None:
    put(run, "maps", "k-rise", [""], status="error")
    other = request("p" * 64, entries=[replace(ENTRIES[0], image="d.png", digest="d")])
    put_all(write(run, other), other.entries)
    assert clean(run, 0.0, 0.0).rows == 0


def test_damaged_parts_and_old_hidden_files_are_removed(run: Path) -> None:
    (run / "damaged").mkdir()
    (run / "damaged" / "x.parquet").write_bytes(b"12345")
    for name, written in (("old", 100), ("new", 900)):
        for folder in (run / "requests", next((run / "store" / "maps").iterdir())):
            path = folder / f".{name}.parquet.1f"
            path.write_bytes(b"1234567")
            os.utime(path, (written, written))
    dry = clean(run, 1000.0, age=600.0, dry_run=True)
    assert dry == Waste(0, 0, 1, 2, 5 + 14)
    assert (run / "damaged").exists()
    assert clean(run, 1000.0, age=600.0) == dry
    assert not (run / "damaged").exists()
    assert sorted(path.name for path in run.rglob(".*")) == [".new.parquet.1f"] * 2


def test_a_dry_run_removes_nothing(run: Path) -> None:
    forget(run, Which(method=["rise"]))
    before = rows(run)
    assert clean(run, 0.0, 0.0, dry_run=True).rows == 13
    assert rows(run) == before


def test_without_requests_nothing_is_removed(run: Path) -> None:
    for path in (run / "requests").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="has no requests"):
        clean(run, 0.0, 0.0)
    assert len(rows(run)) > 0

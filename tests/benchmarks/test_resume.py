"""Tests of a sweep that was killed and is started again: nothing is lost or done twice, and the table is the same."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

RUN = "from heatmark.benchmarks.cli import main; main()"
KILLED = """
import os, signal
from heatmark.benchmarks import store

calls, put = [], store.Store.put

def kill(self, artefact, rows):
    calls.append(artefact)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return put(self, artefact, rows)

store.Store.put = kill
"""
"""The same sweep, killed at one of its writings."""
SWEEP = [
    *("sweep", "model.weights=null", "dataset.limit=6", "metric.deletion.steps=4", "metric.lerf.steps=4"),
    *(
        "batch_size=4",
        "block_size=3",
        "timing.phase=false",
        "layer=[middle,last]",
        "method=[grad_cam,layer_cam,random]",
    ),
]
WRITINGS_PER_BLOCK = 2 + 3 * 3
"""Pictures and predictions, then maps, curves and scores of two layers and of the input."""


def sweep(name: str, folder: Path, before: str = "", *options: str) -> int:
    command = [sys.executable, "-c", before + RUN, *SWEEP, f"name={name}", *options]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode


def parts(run: Path) -> dict[str, int]:
    """Return when each part was written, by its file."""
    return {str(path): path.stat().st_mtime_ns for path in (run / "store").glob("*/*/*.parquet")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert sweep("whole", folder) == 0
    return folder / "results" / "runs" / "whole"


def same_tables(run: Path, other: Path) -> None:
    for name in ("results", "curves"):
        pd.testing.assert_frame_equal(*(pd.read_parquet(r / f"{name}.parquet") for r in (run, other)), check_exact=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("call", [4, WRITINGS_PER_BLOCK + 5])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, whole: Path, call: int) -> None:
    killed = tmp_path / "results" / "runs" / "killed"
    assert sweep("killed", tmp_path, KILLED.format(call=call)) == -signal.SIGKILL
    before = parts(killed)
    assert len(before) == call - 1
    assert sweep("killed", tmp_path) == 0
    after = parts(killed)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(parts(whole))
    same_tables(killed, whole)


def test_shards_side_by_side_make_the_table_of_one_process(tmp_path: Path, whole: Path) -> None:
    commands = [[sys.executable, "-c", RUN, *SWEEP, "name=shards", f"shard={n}/3"] for n in range(3)]
    running = [subprocess.Popen(c, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for c in commands]
    assert [process.communicate() and process.returncode for process in running] == [0, 0, 0]
    run = tmp_path / "results" / "runs" / "shards"
    assert subprocess.run([sys.executable, "-c", RUN, "gather", "shards"], cwd=tmp_path).returncode == 0
    same_tables(run, whole)


def test_a_flipped_byte_is_named_and_computed_again_by_the_same_sweep(tmp_path: Path, whole: Path) -> None:
    run = tmp_path / "results" / "runs" / "whole"
    for artefact in ("maps", "curves", "scores"):
        shutil.copytree(whole, run, dirs_exist_ok=True)
        part = sorted((run / "store" / artefact).glob("*/*.parquet"))[0]
        content = bytearray(part.read_bytes())
        content[len(content) // 3] ^= 1
        part.write_bytes(content)
        assert sweep("whole", tmp_path) == 0
        same_tables(run, whole)
        assert f"{artefact}-{part.name}" in {path.name for path in (run / "damaged").iterdir()}

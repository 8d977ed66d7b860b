"""Tests of a sweep that was killed and is started again: nothing is lost or done twice, and the table is the same."""

import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

RUN = "from heatmark.benchmarks.cli import main; main()"
KILLED = f"""
import os, signal
from heatmark.benchmarks import store

calls, arrays = [], store._arrays

def kill_in_the_third_cell(metrics):
    calls.append(metrics)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return arrays(metrics)

store._arrays = kill_in_the_third_cell
{RUN}
"""
"""The same sweep, killed while its third cell is written: its maps and its header are on disk, its numbers are not."""
SWEEP = [
    *("sweep", "model.weights=null", "dataset.limit=4", "metric.deletion.steps=4", "metric.insertion.steps=4"),
    *("batch_size=4", "timing.repeats=1", "layer=[early,middle,last]", "method=[grad_cam,layer_cam,hires_cam,random]"),
]
CELLS = 3 * 3 + 1


def sweep(name: str, folder: Path, code: str = RUN) -> int:
    command = [sys.executable, "-c", code, *SWEEP, f"name={name}"]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode


def finished(run: Path) -> dict[str, int]:
    """Return when each finished cell was written, by key."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (run / "cells").glob("[!.]*/cell.json")}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    killed, whole = (tmp_path / "results" / "runs" / name for name in ("killed", "whole"))
    assert sweep("killed", tmp_path, KILLED) == -signal.SIGKILL
    before = finished(killed)
    assert len(before) == 2
    assert len(list((killed / "maps").glob("[!.]*.npy"))) == 3

    assert sweep("killed", tmp_path) == sweep("whole", tmp_path) == 0
    after = finished(killed)
    assert len(after) == CELLS
    assert {key: after[key] for key in before} == before
    tables = [pd.read_parquet(run / "results.parquet") for run in (killed, whole)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    curves = [pd.read_parquet(run / "curves.parquet") for run in (killed, whole)]
    pd.testing.assert_frame_equal(*curves, check_exact=True)

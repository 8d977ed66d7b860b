"""kill -9 in the middle of a sweep, then again: nothing finished is lost or done twice, and the table is the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

SWEEP = [
    *(sys.executable, "-c", "from benchmarks.cli import main; main()", "sweep", "model.weights=null"),
    *("dataset.limit=4", "metric.deletion.steps=4", "metric.insertion.steps=4", "batch_size=4", "timing.repeats=1"),
    *("layer=[early,middle,last]", "method=[grad_cam,layer_cam,hires_cam,random]"),
]
TRIALS = 3 * 3 + 1


def command(name: str) -> list[str]:
    return [*SWEEP, f"name={name}"]


def finished(run: Path) -> dict[str, int]:
    """Return when each finished trial was written, by key."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (run / "trials").glob("[!.]*/trial.json")}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    killed, whole = (tmp_path / "results" / "runs" / name for name in ("killed", "whole"))
    process = subprocess.Popen(command("killed"), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(finished(killed)) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = finished(killed)
    assert 2 <= len(before) < TRIALS, "the sweep was not killed in its middle"

    for name in ("killed", "whole"):
        subprocess.run(command(name), cwd=tmp_path, check=True, capture_output=True)
    after = finished(killed)
    assert len(after) == TRIALS
    assert {key: after[key] for key in before} == before
    tables = [pd.read_parquet(run / "results.parquet") for run in (killed, whole)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    curves = [pd.read_parquet(run / "curves.parquet") for run in (killed, whole)]
    pd.testing.assert_frame_equal(*curves, check_exact=True)

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from heatmark.benchmarks.runs.heartbeat import Beat, Heartbeat, beats, is_dead, last_line, require_idle
from tests.benchmarks.runs.made import elsewhere, say


def test_a_process_says_what_it_does(tmp_path: Path) -> None:
    clock = iter([10.0, 20.0, 30.0])
    heart = Heartbeat(tmp_path, "j.0-of-1", lambda: next(clock))
    heart.beat(1, 4, 2)
    found = json.loads((tmp_path / "jobs" / "j.0-of-1.json").read_text())
    assert found == {
        "pid": os.getpid(), "host": socket.gethostname(), "started": 10.0, "updated": 20.0, "done": 1, "blocks": 4,
        "errors": 2, "status": "running",
    }  # fmt: skip
    heart.finish("done")
    assert beats(tmp_path)["j.0-of-1"] == Beat(os.getpid(), socket.gethostname(), 10.0, 30.0, 1, 4, 2, "done")
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["j.0-of-1.json"]


def test_the_log_grows_by_lines(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path, "j", lambda: 0.0)
    assert last_line(tmp_path, "j") == ""
    heart.log("block 1 of 4")
    heart.log("block 2 of 4")
    assert (tmp_path / "logs" / "j.log").read_text() == "block 1 of 4\nblock 2 of 4\n"
    assert last_line(tmp_path, "j") == "block 2 of 4"


def gone() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_here_a_process_is_dead_once_it_is_gone() -> None:
    here = socket.gethostname()
    assert not is_dead(Beat(os.getpid(), here, 0.0, 0.0), now=1e9)
    assert is_dead(Beat(gone(), here, 0.0, 0.0), now=0.0)
    assert not is_dead(Beat(gone(), here, 0.0, 0.0, status="done"), now=1e9)


@pytest.mark.parametrize(("now", "dead"), [(700.0, False), (700.1, True)])
def test_elsewhere_a_process_is_dead_after_ten_silent_minutes(now: float, dead: bool) -> None:
    assert is_dead(elsewhere(100.0), now) == dead
    assert not is_dead(elsewhere(100.0, status="error"), now)


def test_a_folder_in_which_a_sweep_runs_is_not_changed(tmp_path: Path) -> None:
    say(tmp_path, "j", elsewhere(100.0, pid=77))
    with pytest.raises(ValueError, match=r"a sweep runs in .* \(process 77 on not-"):
        require_idle(tmp_path, 200.0)
    require_idle(tmp_path, 1000.0)


def test_a_damaged_heartbeat_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "j.json").write_text("{")
    with pytest.raises(ValueError, match=r"heartbeat .*j\.json is damaged"):
        beats(tmp_path)

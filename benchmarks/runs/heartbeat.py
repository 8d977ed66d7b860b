"""Heartbeats: what each process of a sweep says of itself while it runs, and which of them died."""

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from heatmark.benchmarks.disk import replace_file

SILENT_SECONDS = 600
"""Time without an update after which a running process on another host counts as dead."""

RUNNING = "running"


@dataclass(frozen=True)
class Beat:
    """What one process said last.

    Args:
        pid, host: the process, and the computer that it runs on.
        started, updated: seconds since 1970.
        done, blocks: blocks of images that have ended since it started, and how many it has.
        errors: number of its error rows.
        status: ``running``, or what it ended with: ``done``, ``error``.
    """

    pid: int
    host: str
    started: float
    updated: float
    done: int = 0
    blocks: int = 0
    errors: int = 0
    status: str = RUNNING


class Heartbeat:
    """The heartbeat of this process in a run's folder: ``jobs/STEM.json``, and its log, ``logs/STEM.log``.

    Args:
        root: the run's folder.
        stem: name of the process's request file, without ``.json``.
        now: the clock, in seconds since 1970.
    """

    def __init__(self, root: Path, stem: str, now: Callable[[], float] = time.time) -> None:
        self._file, self._log, self._now = root / "jobs" / f"{stem}.json", root / "logs" / f"{stem}.log", now
        began = now()
        self._beat = Beat(os.getpid(), socket.gethostname(), began, began)

    def beat(self, done: int, blocks: int, errors: int) -> None:
        """Say how many blocks have ended, of how many, and with how many error rows."""
        self._write(replace(self._beat, done=done, blocks=blocks, errors=errors))

    def finish(self, status: str) -> None:
        """Say that the process ends, as ``done`` or ``error``."""
        self._write(replace(self._beat, status=status))

    def log(self, line: str) -> None:
        """Append a line to the log, which is on its way to the disk when this returns."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _write(self, beat: Beat) -> None:
        self._beat = replace(beat, updated=self._now())
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._file, json.dumps(asdict(self._beat)).encode())


def beats(root: Path) -> dict[str, Beat]:
    """Return what every process of a run said last, by the stem of its request file.

    Raises:
        ValueError: for a file that is damaged; it names the file.
    """
    return {path.stem: _read(path) for path in sorted((root / "jobs").glob("[!.]*.json"))}


def _read(path: Path) -> Beat:
    try:
        return Beat(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"the heartbeat {path} is damaged ({error}); it may be deleted") from error


def is_dead(beat: Beat, now: float) -> bool:
    """Return whether a process ended without saying so.

    It did where it says that it runs, and this computer has no such process, or another has been silent too long.
    """
    if beat.status != RUNNING:
        return False
    if beat.host == socket.gethostname() and os.name != "nt":  # Windows cannot ask for a process without ending it
        return not _exists(beat.pid)
    return now - beat.updated > SILENT_SECONDS


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def require_idle(root: Path, now: float) -> None:
    """Raise where a sweep runs in a folder that is about to change.

    Raises:
        ValueError: naming the process.
    """
    for beat in beats(root).values():
        if beat.status == RUNNING and not is_dead(beat, now):
            raise ValueError(
                f"a sweep runs in {root} (process {beat.pid} on {beat.host}); wait until it ends or stop it"
            )


def last_line(root: Path, stem: str) -> str:
    """Return the last line of a process's log, ``""`` where it has none."""
    path = root / "logs" / f"{stem}.log"
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "")

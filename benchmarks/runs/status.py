"""The state of a run's jobs: what is done, missing and failed, how fast it goes on, and how to continue it."""

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Entry, Request, RequestedCell, RequestedScore
from heatmark.benchmarks.runs.heartbeat import RUNNING, Beat, beats, is_dead, last_line
from heatmark.benchmarks.store import Store


@dataclass(frozen=True)
class Count:
    """Numbers of rows: a row per entry, cell and metric that is not derived, or per entry and cell without a metric.

    Args:
        done, missing, errors: rows that are there, that are not, and that failed.
    """

    done: int = 0
    missing: int = 0
    errors: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.done + other.done, self.missing + other.missing, self.errors + other.errors)

    @property
    def total(self) -> int:
        """The number of rows asked for."""
        return self.done + self.missing + self.errors


@dataclass(frozen=True)
class JobStatus:
    """The state of one job.

    Args:
        model, dataset, target_rule: what it is about.
        state: ``done``, ``running``, ``stopped`` (unfinished, and no process works on it) or ``error`` (cannot run).
        rows: what is done, missing and failed.
        rate: rows per minute of the processes that run; NaN where none does.
        dead: log's last line by the request's stem, for every process that ended without saying so.
        commands: lines for a shell that continue it; none where it is done.
        reason: why it cannot run, else ``""``.
    """

    model: str
    dataset: str
    target_rule: str
    state: str
    rows: Count
    rate: float
    dead: Mapping[str, str]
    commands: Sequence[str]
    reason: str

    @property
    def minutes_left(self) -> float:
        """The time until its missing rows are there; NaN where nothing runs."""
        return self.rows.missing / self.rate if self.rate > 0 else math.nan


def status(root: Path, now: float) -> list[JobStatus]:
    """Return the state of every job of a run, in the order of models and datasets.

    Args:
        root: the run's folder.
        now: seconds since 1970.

    Raises:
        ValueError: where the folder has no requests, or one that is damaged.
    """
    jobs, shards = requests.current(root), requests.read(root)
    if not jobs:
        raise ValueError(
            f"no run in {root}: expected a folder that heatmark sweep has written; check name= and results_dir="
        )
    there, said = Present(root, jobs), beats(root)
    found = [_job(job, [s for s in shards if s.job == job.job], there, said, now) for job in jobs]
    with_logs = [replace(job, dead={stem: last_line(root, stem) for stem in job.dead}) for job in found]
    return sorted(with_logs, key=lambda job: (job.model, job.dataset, job.target_rule))


class Present:
    """The rows that a run's store has of what its jobs ask for.

    Args:
        root: the run's folder.
        jobs: its requests.
    """

    def __init__(self, root: Path, jobs: Sequence[Request]) -> None:
        keys = {
            "maps": {cell.key for job in jobs for cell in job.cells},
            "curves": {score.curve for job in jobs for score in job.scores if score.curve},
            "scores": {score.key for job in jobs for score in job.scores if score.key},
        }
        store = Store(root)
        self._all = {artefact: store.present(artefact, wanted) for artefact, wanted in keys.items()}
        self._good = {artefact: store.present(artefact, wanted, errors=False) for artefact, wanted in keys.items()}

    def good(self, artefact: str, key: str, row: str) -> bool:
        """Return whether a row is there and no error."""
        return row in self._good[artefact].get(key, ())

    def failed(self, artefact: str, key: str, row: str) -> bool:
        """Return whether a row is there and an error."""
        return row in self._all[artefact].get(key, ()) and not self.good(artefact, key, row)


def counted(request: Request, there: Present) -> Count:
    """Return how many of a request's rows are done, missing and failed; pictures that it has not met are left out."""
    needs = {metric.name: metric.needs for metric in request.metrics}
    return sum((_column(request.entries, cell, score, needs, there) for cell, score in _columns(request)), Count())


def _columns(request: Request) -> Iterator[tuple[RequestedCell, RequestedScore | None]]:
    """Yield every cell with each of its metrics that is stored, or alone where it has none."""
    left_out = {metric.name for metric in request.metrics if metric.skipped}
    for cell in request.cells:
        if cell.skipped:
            continue
        scores: list[RequestedScore | None] = [s for s in request.scores if s.cell == cell.key]
        for score in scores or [None]:
            if score is None or (score.key and score.metric not in left_out):
                yield cell, score


def _column(
    entries: Sequence[Entry],
    cell: RequestedCell,
    score: RequestedScore | None,
    needs: Mapping[str, Sequence[str]],
    there: Present,
) -> Count:
    """Return the numbers of rows of one cell under one metric, or of its maps where there is no metric."""
    artefact, key = ("scores", score.key) if score else ("maps", cell.key)
    of_row = needs.get(score.metric, ()) if score else ()
    before = [("maps", cell.key, ()), *([("curves", score.curve, of_row)] if score else [])]
    whole = there.failed("maps", cell.key, "")
    done = errors = 0
    for entry in entries:
        if not entry.reason and there.good(artefact, key, entry.row(of_row)):
            done += 1
        elif (
            entry.reason
            or whole
            or there.failed(artefact, key, entry.row(of_row))
            or any(there.failed(kind, of, entry.row(needed)) for kind, of, needed in before)
        ):
            errors += 1
    return Count(done, len(entries) - done - errors, errors)


def _job(job: Request, shards: Sequence[Request], there: Present, said: Mapping[str, Beat], now: float) -> JobStatus:
    entries = {entry.image: entry for entry in job.entries}
    counts = {s.file: _with_unmet(replace(s, entries=[entries[e.image] for e in s.entries]), there) for s in shards}
    unmet = sum(_unmet(shard) for shard in shards)
    rows = counted(job, there) + Count(missing=unmet * _columns_of(job))
    mine = {Path(s.file).stem: said[Path(s.file).stem] for s in shards if Path(s.file).stem in said}
    dead = {stem: "" for stem, beat in mine.items() if is_dead(beat, now)}
    running = [beat for stem, beat in mine.items() if beat.status == RUNNING and stem not in dead]
    open_shards = [s for s in shards if s.facts.get("status") != "done" or counts[s.file].missing]
    facts = job.facts
    return JobStatus(
        model=str(facts.get("model", "")),
        dataset=str(facts.get("dataset", "")),
        target_rule=str(facts.get("target_rule", "")),
        state=_state(job, rows, bool(running), _absent(shards)),
        rows=rows,
        rate=_rate(running, mine, rows),
        dead=dead,
        commands=_commands(open_shards, shards),
        reason=str(facts.get("reason", "")),
    )


def _with_unmet(shard: Request, there: Present) -> Count:
    return counted(shard, there) + Count(missing=_unmet(shard) * _columns_of(shard))


def _unmet(shard: Request) -> int:
    """Return how many pictures of its dataset a process has not met yet."""
    return max(0, int(shard.facts.get("shard_size", 0)) - len(shard.entries))


def _columns_of(request: Request) -> int:
    return len(list(_columns(request)))


def _state(job: Request, rows: Count, running: bool, absent: Sequence[int]) -> str:
    if running:
        return RUNNING
    if job.facts.get("status") == "error":
        return "error"
    return "stopped" if rows.missing or absent or job.facts.get("status") == RUNNING else "done"


def _rate(running: Sequence[Beat], every: Mapping[str, Beat], rows: Count) -> float:
    """Return the rows per minute of the processes that run: their blocks per minute times the rows of a block."""
    blocks = sum(beat.blocks for beat in every.values())
    minutes = [(beat.done, (beat.updated - beat.started) / 60) for beat in running]
    speed = sum(done / time for done, time in minutes if time > 0)
    return speed * rows.total / blocks if blocks and speed else math.nan


def _absent(shards: Sequence[Request]) -> list[int]:
    """Return the numbers of the job's shards that no process has begun."""
    of = max(shard.shard[1] for shard in shards)
    if any(shard.shard == (0, 1) for shard in shards):
        return []
    return sorted(set(range(of)) - {shard.shard[0] for shard in shards if shard.shard[1] == of})


def _commands(unfinished: Sequence[Request], shards: Sequence[Request]) -> list[str]:
    """Return the lines that continue a job: those of its unfinished shards and of shards that nobody has begun."""
    lines = [_line(shard) for shard in unfinished]
    last = max(shards, key=lambda shard: shard.shard[1])
    lines += [re.sub(r"(?<!\S)shard=\d+/\d+", f"shard={n}/{last.shard[1]}", _line(last)) for n in _absent(shards)]
    return list(dict.fromkeys(filter(None, lines)))


def _line(request: Request) -> str:
    """Return a request's command as a line for a shell; its first word may be a program with its command."""
    first, *rest = [str(word) for word in request.facts.get("command") or []] or [""]
    return shlex.join([*first.split(), *rest])

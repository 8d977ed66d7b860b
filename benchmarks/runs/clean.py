"""What a run's folder holds in vain: stored rows that no request asks for, damaged parts, files of killed writers."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from heatmark.benchmarks import requests
from heatmark.benchmarks.runs.asked import Asked, kept
from heatmark.benchmarks.schema import ARTEFACTS
from heatmark.benchmarks.store import Store, full_schema


@dataclass(frozen=True)
class Waste:
    """What was removed, or would be.

    Args:
        rows: number of stored rows that no request asks for.
        parts: number of parts dropped or written again without such rows.
        damaged: number of damaged parts that were set aside.
        unfinished: number of files that a killed process did not finish.
        size: bytes of all this on the disk.
    """

    rows: int
    parts: int
    damaged: int
    unfinished: int
    size: int


def clean(root: Path, now: float, age: float, dry_run: bool = False) -> Waste:
    """Remove from a run's folder what no request asks for and what is broken.

    Args:
        root: the run's folder, in which no sweep may run.
        now: seconds since 1970.
        age: a hidden file that is older, in seconds, is taken to be a killed writer's.
        dry_run: counts only.

    Raises:
        ValueError: where the folder has no requests, so that every row would go, or one that is damaged.
    """
    jobs = requests.current(root)
    if not jobs:
        raise ValueError(f"{root} has no requests, and without them clean would remove everything; delete the folder")
    asked = Asked(jobs)
    changed = [part for artefact in ARTEFACTS for path in parts(root, artefact) if (part := _wasteful(path, asked))]
    damaged = [path for folder in _damaged(root) for path in folder.rglob("*") if path.is_file()]
    unfinished = [path for path in _hidden(root) if now - path.stat().st_mtime > age and path not in damaged]
    before = sum(path.stat().st_size for path in [*(p for p, _ in changed), *damaged, *unfinished])
    rewritten = 0 if dry_run else _remove(root, [p for p, _ in changed], unfinished, asked)
    return Waste(sum(n for _, n in changed), len(changed), len(damaged), len(unfinished), before - rewritten)


def parts(root: Path, artefact: str) -> list[Path]:
    """Return the files of an artefact's parts."""
    return sorted((root / "store" / artefact).glob("*/[!.]*.parquet"))


def _wasteful(path: Path, asked: Asked) -> tuple[Path, int] | None:
    """Return a part with the number of its rows that nobody asks for, None for a part without any."""
    artefact = path.parent.parent.name
    try:
        rows = parquet.read_table(path, columns=["key", "row"])
    except (OSError, pa.ArrowException):  # damaged: the next sweep or gather sets it aside, and says so
        return None
    _, others = kept(asked, artefact, rows)
    return (path, others) if others else None


def _remove(root: Path, changed: list[Path], unfinished: list[Path], asked: Asked) -> int:
    """Delete everything; return the bytes of the parts that are written in the place of others."""
    store, before = Store(root), {path for artefact in ARTEFACTS for path in parts(root, artefact)}
    for path in changed:  # one at a time: a part may be large
        artefact = path.parent.parent.name
        rows, _ = kept(asked, artefact, parquet.read_table(path).cast(full_schema(artefact)))
        store.put(artefact, rows)
        path.unlink()
    for path in unfinished:
        path.unlink()
    for folder in _damaged(root):
        shutil.rmtree(folder)
    after = {path for artefact in ARTEFACTS for path in parts(root, artefact)}
    return sum(path.stat().st_size for path in after - before)


def _damaged(root: Path) -> list[Path]:
    return [folder for folder in (root / "damaged", root / "store" / "damaged") if folder.is_dir()]


def _hidden(root: Path) -> Iterator[Path]:
    """Yield the hidden files of the folders that a sweep writes, where a writer's file lies until it is moved."""
    places = [root, *(root / name for name in ("requests", "jobs", "batch_sizes", "store"))]
    for place in places:
        found = place.rglob(".*") if place.name == "store" else place.glob(".*")
        yield from (path for path in found if path.is_file())

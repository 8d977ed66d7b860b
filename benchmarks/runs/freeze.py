"""A run frozen: all that its figures and report are made from, in one folder without the rest of the store."""

import hashlib
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Request
from heatmark.benchmarks.runs.asked import cell_keys
from heatmark.benchmarks.schema import SCHEMA
from heatmark.benchmarks.store import Store

TABLES = ("results", "images", "timing", "curves", "cards", "agreement")
DRAW = ("heatmark", "numpy", "pandas", "pyarrow", "scipy", "matplotlib", "pillow")
"""Packages that figures and report depend on, whose versions are recorded."""
MANIFEST = "frozen.json"


def freeze(run: Path, folder: Path) -> int:
    """Copy the tables, requests and provenance of a run, its pictures and their maps; return the bytes written.

    ``frozen.json`` holds the schema, the versions of what was installed, and the SHA-256 of every file.

    Args:
        run: the run's folder, with its tables.
        folder: the folder to write, which must not exist.

    Raises:
        ValueError: where the folder exists, or the run has no requests or no tables.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists; a frozen run is never changed: choose another with to=FOLDER")
    jobs = requests.current(run)
    if not jobs or not (run / "results.parquet").exists():
        raise ValueError(f"{run} lacks requests or tables; sweep it, then heatmark gather name={run.name}")
    with new_folder(folder) as beside:
        _copy_tables(run, beside)
        shutil.copytree(run / "requests", beside / "requests", ignore=shutil.ignore_patterns(".*"))
        _copy_shown(run, beside, jobs)
        write_manifest(beside / MANIFEST, run, {"versions": _versions()})
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, beside the one that it becomes once it is whole."""
    beside = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    yield beside
    beside.rename(folder)


def write_manifest(path: Path, run: Path, facts: Mapping[str, object]) -> None:
    """Write the schema, the run's name, these facts, and the SHA-256 of every file in the folder of the manifest."""
    manifest = {"schema": SCHEMA, "run": run.name, **facts, "files": _digests(path.parent)}
    path.write_text(json.dumps(manifest, indent=1))


def _copy_tables(run: Path, folder: Path) -> None:
    for path in [run / "provenance.json", *(p for name in TABLES for p in sorted(run.glob(f"{name}.*")))]:
        if path.is_file():
            shutil.copyfile(path, folder / path.name)


def _copy_shown(run: Path, folder: Path, jobs: list[Request]) -> None:
    """Copy the pictures that the jobs show, and the maps of these pictures."""
    source, target = Store(run), Store(folder)
    keys = sorted({str(job.facts.get("pictures_key", "")) for job in jobs})
    entries = [entry for job in jobs for entry in job.entries if not entry.reason]
    pictures = source.read("pictures", keys, rows=sorted({entry.digest for entry in entries}))
    target.put("pictures", pictures)
    shown = set(pictures["row"].to_pylist())
    rows = sorted({entry.row() for entry in entries if entry.digest in shown})
    for key in cell_keys(jobs):  # a cell at a time: maps are large
        target.put("maps", source.read("maps", [key], rows=["", *rows]))


def _versions() -> Mapping[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in DRAW}}


def _digests(folder: Path) -> Mapping[str, str]:
    """Return the SHA-256 of every file, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

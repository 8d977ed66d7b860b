"""Runs merged: the requests and stored parts of one folder copied into another."""

import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from heatmark.benchmarks.schema import SCHEMA

COPIED = ("store", "requests", "jobs", "logs", "batch_sizes")
"""Folders of a run that are copied; its tables, figures and pages are made again from them."""


def merge(source: Path, target: Path) -> list[str]:
    """Copy a run into another; return a line per request of one name and different content, saying which one won.

    Parts are named by their content, so that a plain copy of the files gives the same run. Of two different requests
    of one name, which are two states of one job, the newer wins; of other files, the one that is there.

    Args:
        source: the folder to copy from; it stays as it is.
        target: the folder to copy into; it is made where it does not exist.

    Raises:
        ValueError: where the source has no requests, the two folders are one, or a request is damaged.
    """
    if not any((source / "requests").glob("[!.]*.json")):
        raise ValueError(f"{source} has no requests: expected a folder that heatmark sweep has written")
    if target.exists() and source.samefile(target):
        raise ValueError(f"{source} cannot be merged into itself")
    said = []
    for path in _files(source):  # parts come before the requests that ask for them
        place = target / path.relative_to(source)
        if not place.exists():
            _copy(path, place)
        elif path.parent.name == "requests" and path.read_bytes() != place.read_bytes():
            newer = written(path) > written(place)
            said.append(
                f"{path.name}: differs in {source} and {target}; kept that of {source if newer else target}, the newer"
            )
            if newer:
                _copy(path, place)
    return said


def _files(root: Path) -> Iterator[Path]:
    """Yield the files to copy, without those that a writer has not finished."""
    for folder in COPIED:
        for path in sorted((root / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.is_file() and not hidden and "damaged" not in path.relative_to(root).parts:
                yield path


def _copy(path: Path, place: Path) -> None:
    """Copy a file whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    shutil.copyfile(path, beside)
    beside.replace(place)


def written(path: Path) -> float:
    """Return when a request was written, in seconds since 1970.

    Raises:
        ValueError: for a request that is damaged or of another version; it names the file.
    """
    try:
        found = json.loads(path.read_bytes())
        schema, when = found["schema"], float(found["written"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the request {path} is damaged ({error}); delete it and run its sweep again") from error
    if schema != SCHEMA:
        raise ValueError(f"the request {path} has schema {schema}, this version of Heatmark reads {SCHEMA}")
    return when

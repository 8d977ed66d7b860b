"""A run exported, for others: its tables, requests and rows, without pictures, and without this machine's paths."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Request
from heatmark.benchmarks.runs.asked import Asked, kept
from heatmark.benchmarks.runs.freeze import new_folder, write_manifest
from heatmark.benchmarks.runs.paths import Paths
from heatmark.benchmarks.schema import ARTEFACTS
from heatmark.benchmarks.store import Store, full_schema

MANIFEST = "export.json"
SAID_OF_PATHS = "absolute paths are replaced by their last component"


@dataclass(frozen=True)
class Parts:
    """What an export holds beside the tables, requests, predictions, curves, scores and timings.

    Args:
        maps: the maps themselves; without them their digests, signatures and flags alone.
        pictures: the pictures as the model saw them, of those that reports show.
    """

    maps: bool = False
    pictures: bool = False


def export(run: Path, folder: Path, what: Parts, tables: Callable[[Path], object]) -> int:
    """Write what others need to read, to verify and to reuse a run into a folder of its own; return its bytes.

    It holds what the run's requests ask for and no other row. Names of pictures, methods and classes stay; absolute
    paths in the facts of requests, in provenance and in the reasons of rows become their last component.
    ``export.json`` holds the schema, the run's name and the SHA-256 of every file.

    Args:
        run: the run's folder; it stays as it is.
        folder: the folder to write, which must not exist.
        what: maps and pictures, or neither.
        tables: what writes the tables of a run into its folder; they are made from the exported rows alone.

    Raises:
        ValueError: where the folder exists, or the run has no requests.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists; an exported run is never changed: choose another with to=FOLDER")
    found = requests.read(run)
    if not found:
        raise ValueError(f"{run} has no requests: expected a folder that heatmark sweep has written")
    paths = Paths([request.facts for request in found])
    with new_folder(folder) as beside:
        for request in found:
            requests.save(beside, _without_paths(request, paths))
        _copy_rows(Store(run), Store(beside), Asked(requests.current(run)), what, paths)
        tables(beside)
        write_manifest(
            beside / MANIFEST, run.resolve(), {"maps": what.maps, "pictures": what.pictures, "paths": SAID_OF_PATHS}
        )
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _without_paths(request: Request, paths: Paths) -> Request:
    facts = {name: value if name == "classes" else paths.removed(value) for name, value in request.facts.items()}
    return replace(
        request,
        facts=facts,
        cells=[replace(cell, skipped=paths.in_text(cell.skipped)) for cell in request.cells],
        entries=[replace(entry, reason=paths.in_text(entry.reason)) for entry in request.entries],
    )


def _copy_rows(source: Store, target: Store, asked: Asked, what: Parts, paths: Paths) -> None:
    for artefact in ARTEFACTS:
        if artefact == "pictures" and not what.pictures:
            continue
        for batch in source.batches(artefact, _columns(artefact, what)):
            rows, _ = kept(asked, artefact, pa.Table.from_batches([batch]))
            target.put(artefact, _whole(artefact, rows, paths))
    target.compact()


def _columns(artefact: str, what: Parts) -> list[str]:
    return [name for name in ARTEFACTS[artefact].names if name != "map" or what.maps]


def _whole(artefact: str, rows: pa.Table, paths: Paths) -> pa.Table:
    """Return rows with all columns of the artefact, those that were not read null, and reasons without paths."""
    for field in full_schema(artefact):
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        elif field.name == "reason":
            reasons = [paths.in_text(reason or "") for reason in rows["reason"].to_pylist()]
            rows = rows.set_column(rows.column_names.index("reason"), field, pa.array(reasons, pa.string()))
    return rows

"""Rows of other runs brought into a run's store before anything is computed: parts of their stores, linked."""

import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch

from heatmark.benchmarks.disk import flush_folder, replace_file
from heatmark.benchmarks.machine.provenance import device_name
from heatmark.benchmarks.parts import failed, is_whole, listed, opened
from heatmark.benchmarks.schema import ARTEFACTS
from heatmark.benchmarks.store import Store, full_schema
from heatmark.benchmarks.sweep.keys import timing_key
from heatmark.benchmarks.sweep.prepare import Plan

LOG = logging.getLogger(__name__)


def wanted(plan: Plan) -> dict[str, list[str]]:
    """Return the keys of all rows that a job asks for, by artefact."""
    request, device = plan.request, device_name(plan.run.device)
    maps = [cell.key for cell in request.cells]
    return {
        "predictions": [request.predictions],
        "maps": maps,
        "curves": [key for score in request.scores for key in (score.curve, *score.bounds) if key],
        "scores": [score.key for score in request.scores if score.key],
        "timings": [timing_key(key, device, torch.__version__) for key in maps],
        "pictures": [str(request.facts["pictures_key"])],
    }


def reuse(store: Store, folders: Sequence[str | Path], keys: Mapping[str, Collection[str]]) -> list[dict[str, Any]]:
    """Bring what other runs have of these keys, and the store lacks, into the store; say what came from where.

    A part whose rows all come is linked, or copied where links are impossible, once its checksum was verified: its name
    stays its checksum. Of any other part the rows that come are copied: none that the store or an earlier folder has,
    whose value would then depend on the parts' names, none of other keys, and no error, which may be the other
    machine's. A damaged part, or one of another version of Heatmark, is named in a warning and left out. Nothing is
    ever written, moved or executed in the other folders.

    Args:
        store: the run's store.
        folders: of the other runs, the first of which is asked first.
        keys: as :func:`wanted` returns them.

    Returns:
        One mapping per folder: ``folder``, ``run`` (its name), and the numbers of ``rows`` and ``parts`` that came.

    Raises:
        ValueError: for a folder without a store.
    """
    for folder in map(Path, folders):
        if not (folder / "store").is_dir():
            raise ValueError(
                f"reuse={folder} has no store: expected the folder of a run, such as heatmark sweep or heatmark export "
                "has written"
            )
    return [_from(Path(folder).resolve(), store, keys) for folder in folders]


def _from(folder: Path, store: Store, keys: Mapping[str, Collection[str]]) -> dict[str, Any]:
    rows = [count for artefact in ARTEFACTS for count in _brought(folder, store, artefact, keys.get(artefact, ()))]
    return {"folder": str(folder), "run": folder.name, "rows": sum(rows), "parts": len(rows)}


def _brought(folder: Path, store: Store, artefact: str, keys: Collection[str]) -> Iterator[int]:
    """Bring rows of these keys which the store lacks, part by part; yield how many rows of each part came."""
    there = store.present(artefact, keys, errors=False)
    brought: set[tuple[str, str]] = set()
    for path in sorted(listed(folder / "store" / artefact)):
        ids = _read(path, [name for name in ("status",) if name in ARTEFACTS[artefact].names])
        if ids is None:
            continue
        pairs = list(zip(ids["key"].to_pylist(), ids["row"].to_pylist(), strict=True))
        good = pc.invert(failed(ids)).to_pylist()
        new = [
            is_good and key in there and row not in there[key] and (key, row) not in brought
            for (key, row), is_good in zip(pairs, good, strict=True)
        ]
        if not any(new) or not _undamaged(path):
            continue
        if all(new):
            _link(path, store.root / path.relative_to(folder))
        else:
            _copy_rows(path, store, artefact, new)
        brought |= {pair for pair, is_new in zip(pairs, new, strict=True) if is_new}
        yield sum(new)


def _read(path: Path, columns: Sequence[str]) -> pa.Table | None:
    """Return the ids of a part's rows, and these columns; None where it cannot be read, which a warning says."""
    try:
        with opened(path) as part:
            return part.read(["key", "row", *columns], use_threads=False)
    except FileNotFoundError:  # its own run has merged it meanwhile: what it held is computed
        return None
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        LOG.warning("%s is not reused: %s", path, error)
        return None


def _undamaged(path: Path) -> bool:
    try:
        whole = is_whole(path)
    except OSError as error:
        LOG.warning("%s is not reused: %s", path, error)
        return False
    if not whole:
        LOG.warning("%s is not reused: it is damaged, its checksum is another one; it stays as it is", path)
    return whole


def _copy_rows(path: Path, store: Store, artefact: str, which: Sequence[bool]) -> None:
    """Store some rows of a part as a part of the store's own."""
    with opened(path) as part:
        store.put(artefact, part.read(use_threads=False).cast(full_schema(artefact)).filter(pa.array(which)))


def _link(path: Path, place: Path) -> None:
    """Give a part a second name; copy it where that is impossible. No store changes a part in its place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), place)
        flush_folder(place.parent)
    except FileExistsError:
        pass
    except OSError:  # another file system, or one without links
        replace_file(place, path.read_bytes())

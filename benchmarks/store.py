"""Finished cells on disk: each lands whole or not at all, whatever kills the sweep."""

import io
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Measured:
    """One metric's numbers for all images of a cell.

    Args:
        definition: id of what was measured.
        higher_is_better: of the metric.
        values: (N,), NaN where undefined.
        fractions, scores: (K,) and (N, K), the curves; None where the metric has none.
        tied: (N,), the share of pixels that the scored map does not rank.
        tie_low, tie_high: (N,), the range of the value over orders of ties; None where it was not asked for.
    """

    definition: str
    higher_is_better: bool
    values: Array
    fractions: Array | None = None
    scores: Array | None = None
    tied: Array | None = None
    tie_low: Array | None = None
    tie_high: Array | None = None


@dataclass(frozen=True)
class Record:
    """What a cell leaves.

    Args:
        key: of the cell.
        columns: what every row of the cell shares: model, weights, layer, method, …
        status: ``ok``, ``skipped`` (the method says why) or ``error``.
        reason: of the skip or the error, else ``""``.
        images, targets, flags: name, explained class and degeneracy (or ``""``) of every image.
        metrics: by name.
        timing: one row of the timing table a batch size.
        maps: the raw maps (N, h, w).
        identity: what the key is the digest of.
        groups: of every image, what it shares with others that are not independent of it (patient, video), or ``""``;
            empty where none is known.
    """

    key: str
    columns: Mapping[str, str]
    status: str = "ok"
    reason: str = ""
    images: list[str] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    metrics: Mapping[str, Measured] = field(default_factory=dict)
    timing: list[dict[str, Any]] = field(default_factory=list)
    maps: Array | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Gallery:
    """The first pictures of a job as its model saw them.

    Args:
        pictures: an image file without loss by the image's name, in the order of the job.
        labels: the true class by the image's name, where it is known.
        classes: of the model, in the order of the logits; empty where unknown.
    """

    pictures: Mapping[str, bytes]
    labels: Mapping[str, str] = field(default_factory=dict)
    classes: Sequence[str] = ()


class Store:
    """A run's folder: ``cells/KEY/`` once a cell is done, ``maps/KEY.npy``, ``jobs/KEY.json``, ``pictures/``.

    Everything is written beside its place and moved there in one step, so that a reader or a kill at any moment
    sees a whole cell or none. Several processes may write into one folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def finished(self, key: str) -> bool:
        """Say whether a cell's numbers (or the reason to skip it) are there; an error counts as not finished."""
        path = self.root / "cells" / key / "cell.json"
        return path.exists() and json.loads(path.read_text())["status"] != "error"

    def write(self, record: Record) -> None:
        """Put a cell in its place: first its maps, then all the rest at once."""
        if record.maps is not None:
            self._write_file(self.root / "maps" / f"{record.key}.npy", record.maps)
        folder = self.root / "cells"
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        beside.chmod(0o777 & ~_umask())  # as any folder, so that a group may read it
        header = asdict(record) | {"maps": None, "metrics": _headers(record.metrics)}
        (beside / "cell.json").write_text(json.dumps(header))
        np.savez(beside / "arrays.npz", allow_pickle=False, **_arrays(record.metrics))
        place = folder / record.key
        if place.exists() and not self.finished(record.key):
            shutil.rmtree(place)
        try:
            beside.replace(place)
        except OSError:  # another process has just finished the same cell; its numbers are the same
            if not place.exists():
                raise
            shutil.rmtree(beside)

    def read(self) -> Iterator[Record]:
        """Yield every finished, skipped or failed cell, in the order of the keys; maps stay on disk."""
        for path in sorted((self.root / "cells").glob("[!.]*/cell.json")):
            header = json.loads(path.read_text())
            with np.load(path.with_name("arrays.npz"), allow_pickle=False) as arrays:
                header["metrics"] = {
                    name: Measured(**fixed, **{kind: arrays.get(f"{kind}.{name}") for kind in _KINDS})
                    for name, fixed in header["metrics"].items()
                }
            yield Record(**header)

    def maps(self, key: str) -> Array:
        """Return a cell's raw maps (N, h, w)."""
        maps: Array = np.load(self.root / "maps" / f"{key}.npy", allow_pickle=False)
        return maps

    def write_job(self, key: str, facts: Mapping[str, Any]) -> None:
        """Record a job's configuration, machine and state."""
        self._write_file(self.root / "jobs" / f"{key}.json", json.dumps(facts, indent=1).encode())

    def read_job(self, key: str) -> dict[str, Any]:
        """Return what is recorded of a job, or an empty dict."""
        path = self.root / "jobs" / f"{key}.json"
        facts: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return facts

    def jobs(self) -> list[dict[str, Any]]:
        """Return what is recorded of every job, in the order of the keys."""
        return [json.loads(path.read_text()) for path in sorted((self.root / "jobs").glob("[!.]*.json"))]

    def write_gallery(self, weights_digest: str, images_digest: str, gallery: Gallery) -> None:
        """Put the pictures that a network (with its preprocessing) saw in their place; jobs that saw the same share it.

        Args:
            weights_digest, images_digest: as in the tables (:data:`heatmark.benchmarks.schema.DIGESTS`).
            gallery: the pictures, and what is known of them.
        """
        self._write_file(self._gallery(weights_digest, images_digest), _packed(gallery))

    def read_gallery(self, weights_digest: str, images_digest: str) -> Gallery | None:
        """Return the pictures that a network saw of a set of images, or None where none are stored."""
        path = self._gallery(weights_digest, images_digest)
        return _unpacked(path) if path.exists() else None

    def _gallery(self, weights_digest: str, images_digest: str) -> Path:
        return self.root / "pictures" / f"{weights_digest}-{images_digest}.parquet"

    def now(self) -> float:
        """Return the time by the clock of the file system, which need not be this machine's."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".now-", dir=self.root) as file:
            return Path(file.name).stat().st_mtime

    def failed_since(self, moment: float) -> bool:
        """Say whether a cell or a job was written as failed at this moment or later."""
        files = (*(self.root / "cells").glob("[!.]*/cell.json"), *(self.root / "jobs").glob("[!.]*.json"))
        recent = (path for path in files if path.stat().st_mtime >= moment)
        return any(json.loads(path.read_text())["status"] == "error" for path in recent)

    @staticmethod
    def _write_file(path: Path, content: bytes | Array) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # processes of two machines may share an id
        with beside.open("wb") as file:
            file.write(content) if isinstance(content, bytes) else np.save(file, content)
        beside.replace(path)


def _packed(gallery: Gallery) -> bytes:
    """Return a gallery as a parquet file: one row per picture, the classes beside them."""
    names = list(gallery.pictures)
    columns = {
        "image": pa.array(names, pa.string()),
        "label": pa.array([gallery.labels.get(name) for name in names], pa.string()),
        "picture": pa.array(gallery.pictures.values(), pa.binary()),
    }
    table = pa.table(columns).replace_schema_metadata({"classes": json.dumps(list(gallery.classes))})
    file = io.BytesIO()
    parquet.write_table(table, file, compression="none")  # the pictures are compressed already
    return file.getvalue()


def _unpacked(path: Path) -> Gallery:
    table = parquet.read_table(path)
    names, labels, pictures = (table[name].to_pylist() for name in ("image", "label", "picture"))
    return Gallery(
        dict(zip(names, pictures, strict=True)),
        {name: label for name, label in zip(names, labels, strict=True) if label is not None},
        tuple(json.loads(table.schema.metadata[b"classes"])),
    )


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


_KINDS = ("values", "fractions", "scores", "tied", "tie_low", "tie_high")


def _headers(metrics: Mapping[str, Measured]) -> dict[str, dict[str, Any]]:
    return {name: {"definition": m.definition, "higher_is_better": m.higher_is_better} for name, m in metrics.items()}


def _arrays(metrics: Mapping[str, Measured]) -> dict[str, Array]:
    named = {f"{kind}.{name}": getattr(m, kind) for name, m in metrics.items() for kind in _KINDS}
    return {name: array for name, array in named.items() if array is not None}

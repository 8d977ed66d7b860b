"""The store: a run's cells, maps, pictures and jobs on disk, each written whole or not at all."""

import hashlib
import io
import json
import logging
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

log = logging.getLogger(__name__)

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Measured:
    """The scores of one metric for all images of a cell.

    Args:
        definition: the metric's name with its protocol and options, such as ``deletion:rise-2018[steps=4]``.
        higher_is_better: whether a higher value is better.
        values: (N,), NaN where undefined.
        fractions: (K,) fraction of pixels that are perturbed at each point of the curves; None without curves.
        scores: (N, K) score of the explained class at each point; None without curves.
        tied: (N,) fraction of pixels whose value in the scored map is shared with others, in [0, 1].
        tie_low, tie_high: (N,) lowest and highest value over the orders of tied pixels; None where not asked for.
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
    """The results of a cell, which is a method at a layer of a model.

    Args:
        key: the cell's key.
        columns: the columns that are the same in all of the cell's rows: model, weights, layer, method, …
        status: ``ok``, ``skipped`` (the method does not support the model or layer) or ``error``.
        reason: the reason of the skip or the error, else ``""``.
        images: names of the images.
        targets: the class explained on each image.
        flags: why each image's map is degenerate, ``""`` where it is not.
        metrics: scores by a metric's name.
        timing: one row of the timing table per batch size.
        maps: raw maps (N, h, w).
        identity: the facts of which the key is the digest.
        groups: name of each image's group, such as a patient or a video, whose images are not independent of one
            another; ``""`` for an image without a group. Empty where the dataset has no groups.
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
    """The first images of a job as its model saw them, resized and cropped.

    Args:
        pictures: losslessly compressed image files by the images' names, in the order of the job.
        labels: names of the true classes by the images' names, for those that are labelled.
        classes: names of the model's classes, in the order of the logits; empty where unknown.
    """

    pictures: Mapping[str, bytes]
    labels: Mapping[str, str] = field(default_factory=dict)
    classes: Sequence[str] = ()


class Store:
    """A run's folder: ``cells/KEY/`` per cell, ``maps/KEY.npy``, ``jobs/KEY.json``, ``pictures/*.parquet``.

    Everything is written under a temporary name and then renamed, so that a reader, at any moment and also after the
    writer was killed, finds a whole cell or none. Several processes may write into one folder.

    Args:
        root: the folder; it is made where it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def finished(self, key: str) -> bool:
        """Return whether a cell is stored with its scores, or as skipped; a failed cell is not finished."""
        path = self.root / "cells" / key / "cell.json"
        return path.exists() and json.loads(path.read_text())["status"] != "error"

    def write(self, record: Record) -> None:
        """Store a cell: first its maps, then all the rest in one step."""
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
        """Yield every stored cell, in the order of keys, with None for its maps (:meth:`maps` reads them)."""
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
        """Store the facts of a job: its configuration, its machine and its status."""
        self._write_file(self.root / "jobs" / f"{key}.json", json.dumps(facts, indent=1).encode())

    def read_job(self, key: str) -> dict[str, Any]:
        """Return the facts of a job; an empty dict where none are stored."""
        path = self.root / "jobs" / f"{key}.json"
        facts: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return facts

    def jobs(self) -> list[dict[str, Any]]:
        """Return the facts of every job, in the order of keys."""
        return [json.loads(path.read_text()) for path in sorted((self.root / "jobs").glob("[!.]*.json"))]

    def write_gallery(self, dataset: str, weights_digest: str, images_digest: str, gallery: Gallery) -> None:
        """Store the pictures of a dataset as a network saw them; a gallery of the same name and digests is replaced.

        Args:
            dataset: its name in the tables; two datasets may hold the same pictures under other names.
            weights_digest, images_digest: as in the tables (:data:`heatmark.benchmarks.schema.DIGESTS`).
            gallery: the pictures, their labels and the names of classes.
        """
        self._write_file(self._gallery(dataset, weights_digest, images_digest), _packed(gallery))

    def read_gallery(self, dataset: str, weights_digest: str, images_digest: str) -> Gallery | None:
        """Return the pictures of a dataset as a network saw them; None where none are stored or undamaged."""
        path = self._gallery(dataset, weights_digest, images_digest)
        try:
            return _unpacked(path) if path.exists() else None
        except pa.ArrowException:  # the sweep, repeated, writes it again
            log.warning("%s is damaged and counts as absent", path)
            return None

    def _gallery(self, dataset: str, weights_digest: str, images_digest: str) -> Path:
        name = hashlib.sha256(dataset.encode()).hexdigest()[:12]
        return self.root / "pictures" / f"{name}-{weights_digest}-{images_digest}.parquet"

    def now(self) -> float:
        """Return the time by the file system's clock, which may differ from this machine's."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".now-", dir=self.root) as file:
            return Path(file.name).stat().st_mtime

    def failed_since(self, moment: float) -> bool:
        """Return whether a cell or a job was stored as failed at this moment or later."""
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
    """Return a gallery as the bytes of a parquet file: one row per picture, the classes in its metadata."""
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

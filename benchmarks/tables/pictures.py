"""Stored pictures and maps: the images of a run as its models saw them, and the maps of these images."""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.jobs import jobs, of_setting

NONE_STORED = "the run keeps no pictures of it; run the same heatmark sweep again to store them (finished cells stay)"


@dataclass(frozen=True)
class Gallery:
    """The pictures that one model saw of the images of a job.

    Args:
        pictures: files by the images' names, of those that the run keeps.
        labels: names of the true classes by the images' names, of those that are labelled.
        classes: names of the model's classes, in the order of the logits; empty where unknown.
    """

    pictures: Mapping[str, bytes] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    classes: Sequence[str] = ()


class Shown:
    """What a run keeps to look at: pictures and maps.

    Args:
        run: folder of the run, which may be a copy.
    """

    def __init__(self, run: Path) -> None:
        self._store, self._jobs = Store(run), jobs(run)

    def entries(self, facts: Mapping[Any, Any]) -> dict[str, Entry]:
        """Return the pictures of a setting by name, without those that cannot be explained.

        Args:
            facts: a row of the run's tables, or anything with the columns of a setting.
        """
        return {entry.image: entry for job in reversed(of_setting(self._jobs, facts)) for entry in job.usable}

    def gallery(self, facts: Mapping[Any, Any], images: Collection[str] | None = None) -> Gallery | None:
        """Return the pictures of a setting, in their order; None where the run keeps none of them.

        Args:
            facts: as for :meth:`entries`.
            images: names of the images that are wanted; None for all.
        """
        found = of_setting(self._jobs, facts)
        entries = {n: e for n, e in self.entries(facts).items() if images is None or n in images}
        if not found or not entries:
            return None
        job = found[0].request.facts
        keys, digests = [str(job.get("pictures_key", ""))], {entry.digest for entry in entries.values()}
        table = self._store.read("pictures", keys, ["picture"], rows=digests)
        files = dict(zip(table["row"].to_pylist(), table["picture"].to_pylist(), strict=True))
        pictures = {name: files[entry.digest] for name, entry in entries.items() if entry.digest in files}
        labels = {name: entry.label for name, entry in entries.items() if entry.label}
        return Gallery(pictures, labels, tuple(job.get("classes", ()))) if pictures else None

    def sizes(self, maps: Collection[str], entries: Collection[Entry]) -> list[tuple[int, int, int]]:
        """Return the number and the size (N, h, w) of each cell's kept maps of some pictures, by keys of maps."""
        table = self._store.read("maps", maps, ["height", "width"], rows={entry.row() for entry in entries})
        counted = (
            table.filter(table["height"].is_valid()).group_by(["key", "height", "width"]).aggregate([([], "count_all")])
        )
        return [(row["count_all"], row["height"], row["width"]) for row in counted.to_pylist()]

    def maps(self, key: str, entries: Sequence[Entry]) -> list[NDArray[np.float32] | None]:
        """Return the raw maps (h, w) of some pictures; None for a map that is not kept or is an error.

        Args:
            key: of the cell's maps (``maps`` in the results table).
            entries: the pictures.
        """
        table = self._store.read("maps", [key], ["height", "width", "map"], rows={entry.row() for entry in entries})
        found = {row: _map(table, at) for at, row in enumerate(table["row"].to_pylist())}
        return [found.get(entry.row()) for entry in entries]


def _map(table: pa.Table, at: int) -> NDArray[np.float32] | None:
    values, height, width = (table[name][at].as_py() for name in ("map", "height", "width"))
    return None if values is None else np.frombuffer(values, np.float32).reshape(height, width)


def missing(gallery: Gallery | None, wanted: Collection[str]) -> str:
    """Return the reason why some of the wanted images have no picture; ``""`` where all have one."""
    if gallery is None:
        return NONE_STORED
    lacking = len(set(wanted) - set(gallery.pictures))
    if not lacking:
        return ""
    return f"{lacking} of {len(wanted)} images have no picture; the run keeps only the first {len(gallery.pictures)}"


def opened(picture: bytes) -> Image.Image:
    """Return a stored picture as an RGB image, from the bytes of its file."""
    with Image.open(io.BytesIO(picture)) as found:
        return found.convert("RGB")


def pixels(picture: bytes) -> NDArray[np.float32]:
    """Return a stored picture as an array (H, W, 3) in [0, 1]."""
    return np.asarray(opened(picture), np.float32) / np.float32(255)


def class_name(gallery: Gallery, target: str) -> str:
    """Return a class's name, the first where it has several, or ``class 7`` where it has none."""
    number = int(target)
    return gallery.classes[number].split(",")[0] if number < len(gallery.classes) else f"class {target}"

"""Stored pictures: the images of a run as its models saw them, resized and cropped."""

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from heatmark.benchmarks.schema import DIGESTS
from heatmark.benchmarks.store import Gallery, Store

NONE_STORED = "the run keeps no pictures of it; run the same heatmark sweep again to store them (finished cells stay)"


def stored(run: Path, facts: Mapping[Any, Any]) -> Gallery | None:
    """Return the pictures that one model saw of one set of images, or None where the run keeps none.

    Args:
        run: folder of the run.
        facts: a row of its tables, or anything with ``dataset`` and :data:`heatmark.benchmarks.schema.DIGESTS`.
    """
    return Store(run).read_gallery(*(str(facts[name]) for name in ("dataset", *DIGESTS)))


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

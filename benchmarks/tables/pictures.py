"""The pictures that a sweep stored of a setting, as its model saw them."""

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from heatmark.benchmarks.schema import DIGESTS
from heatmark.benchmarks.store import Gallery, Store

NONE_STORED = (
    "the run keeps no pictures of it; heatmark sweep, repeated, stores them and leaves finished cells as they are"
)


def stored(run: Path, facts: Mapping[Any, Any]) -> Gallery | None:
    """Return the pictures of a row's network and image set, or None where the run keeps none.

    Args:
        run: folder of the run.
        facts: the row, or whatever has its digests.
    """
    weights_digest, images_digest = (str(facts[name]) for name in DIGESTS)
    return Store(run).read_gallery(weights_digest, images_digest)


def missing(gallery: Gallery | None, wanted: Collection[str]) -> str:
    """Say why some wanted images have no picture; ``""`` where all have one."""
    if gallery is None:
        return NONE_STORED
    lacking = len(set(wanted) - set(gallery.pictures))
    if not lacking:
        return ""
    return f"{lacking} of {len(wanted)} images have none; the run keeps those of the first {len(gallery.pictures)}"


def opened(picture: bytes) -> Image.Image:
    """Return a stored picture."""
    with Image.open(io.BytesIO(picture)) as found:
        return found.convert("RGB")


def pixels(picture: bytes) -> NDArray[np.float32]:
    """Return a stored picture as an array (H, W, 3) in [0, 1]."""
    return np.asarray(opened(picture), np.float32) / np.float32(255)


def class_name(gallery: Gallery, target: str) -> str:
    """Return the first of a class's names, or its number where it has none."""
    number = int(target)
    return gallery.classes[number].split(",")[0] if number < len(gallery.classes) else f"class {target}"

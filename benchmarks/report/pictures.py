"""The stored pictures of a run, small enough to travel inside a page."""

import io
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from heatmark.benchmarks.store import Gallery
from heatmark.benchmarks.tables.pictures import missing, opened

PICTURE_PIXELS = 160
QUALITY = 72


@dataclass(frozen=True)
class Seen:
    """What one model saw.

    Args:
        pictures: a data URI by the image's name.
        labels: the true class by the image's name, where it is known.
        classes: of the model, in the order of the logits; empty where unknown.
        problem: why some image has no picture, or ``""``.
    """

    pictures: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    problem: str = ""


def seen(gallery: Gallery | None, wanted: Collection[str]) -> Seen:
    """Return the wanted pictures of a gallery; for those that it lacks, ``problem`` says why.

    Args:
        gallery: as the sweep stored it, None where it did not.
        wanted: names of images.
    """
    problem = missing(gallery, wanted)
    if gallery is None:
        return Seen(problem=problem)
    pictures = {name: data_uri(opened(file)) for name, file in gallery.pictures.items() if name in wanted}
    return Seen(pictures, gallery.labels, tuple(gallery.classes), problem)


def data_uri(picture: Image.Image) -> str:
    """Return a picture, at most 160 pixels a side, as a WebP data URI."""
    small = picture.copy()
    small.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    return webp_uri(small, quality=QUALITY)


def webp_uri(picture: Image.Image, **options: Any) -> str:
    """Return a picture as a WebP data URI."""
    file = io.BytesIO()
    picture.save(file, "WEBP", method=6, **options)
    return f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"

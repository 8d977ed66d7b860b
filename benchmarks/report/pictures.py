"""The stored pictures of a run, reduced and encoded as data URIs for the page."""

import io
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from heatmark.benchmarks.tables.pictures import Gallery, missing, opened

PICTURE_PIXELS = 160
"""Largest width and height of a picture in the page."""
QUALITY = 72
"""Quality of its WebP compression, 0 to 100."""


@dataclass(frozen=True)
class Seen:
    """The images of a dataset as one model saw them, resized and cropped.

    Args:
        pictures: data URIs by the images' names.
        labels: names of the true classes by the images' names, for those that are labelled.
        classes: names of the model's classes, in the order of the logits; empty where unknown.
        problem: why some images have no picture; ``""`` where all have one.
    """

    pictures: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    problem: str = ""


def seen(gallery: Gallery | None, wanted: Collection[str]) -> Seen:
    """Return the wanted pictures of a stored gallery.

    Args:
        gallery: the pictures that the sweep stored; None where it stored none.
        wanted: names of images.
    """
    problem = missing(gallery, wanted)
    if gallery is None:
        return Seen(problem=problem)
    pictures = {name: data_uri(opened(file)) for name, file in gallery.pictures.items() if name in wanted}
    return Seen(pictures, gallery.labels, tuple(gallery.classes), problem)


def data_uri(picture: Image.Image) -> str:
    """Return a picture as a WebP data URI, reduced to at most :data:`PICTURE_PIXELS` per side."""
    small = picture.copy()
    small.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    return webp_uri(small, quality=QUALITY)


def webp_uri(picture: Image.Image, **options: Any) -> str:
    """Return a picture as a WebP data URI; ``options`` are those of Pillow's WebP writer."""
    file = io.BytesIO()
    picture.save(file, "WEBP", method=6, **options)
    return f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"

"""The pictures of a job as its model saw them, for figures and reports."""

import io

import pyarrow as pa
from PIL import Image
from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.store import full_schema
from heatmark.benchmarks.sweep.blocks import Block
from heatmark.benchmarks.sweep.map_rows import GALLERY
from heatmark.common.digests import digest_json
from heatmark.common.identity import options

VERSION = 1
"""Raised by whoever changes how a picture is stored."""

MOST_PIXELS = 512
"""The longest side of a stored picture in pixels; larger ones are scaled down."""


def pictures_key(classifier: Classifier) -> str:
    """Return the key of pictures as this model sees them: of its preprocessing."""
    return digest_json({"pictures": {"preprocessing": options(classifier.preprocessing), "version": VERSION}})


def pictures(block: Block, classifier: Classifier, key: str) -> pa.Table:
    """Return the rows of those of a block's pictures that figures and reports may show, the dataset's first 100."""
    rows = [
        {"key": key, "row": entry.digest, "picture": _file(as_seen(image, classifier.preprocessing))}
        for entry, image in zip(block.entries, block.images, strict=True)
        if entry.position < GALLERY
    ]
    return pa.Table.from_pylist(rows, schema=full_schema("pictures"))


def as_seen(image: Tensor, prepare: Preprocessing) -> Image.Image:
    """Return a preprocessed image (3, H, W) as a picture, with the normalisation undone."""
    pixels = prepare.pixels(image[None])[0]
    return Image.fromarray(pixels.permute(1, 2, 0).mul(255).round().byte().numpy())


def _file(picture: Image.Image) -> bytes:
    """Return a picture as a lossless WebP file; the encoder's fastest setting makes it a tenth larger."""
    picture.thumbnail((MOST_PIXELS, MOST_PIXELS))
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=True, method=0)
    return file.getvalue()

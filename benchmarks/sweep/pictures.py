"""The pictures of a job as its model saw them, for figures and reports."""

import io

from PIL import Image
from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.store import Gallery
from heatmark.benchmarks.sweep.images import ImageSet

MOST_PICTURES = 100
"""The most pictures kept per job, as many as a report shows by default, so that large datasets are not copied."""

MOST_PIXELS = 512
"""The longest side of a stored picture in pixels; larger ones are scaled down."""


def gallery(image_set: ImageSet, classifier: Classifier) -> Gallery:
    """Return the first 100 pictures as the model sees them, with their true classes, and the names of the classes."""
    shown = zip(image_set.names[:MOST_PICTURES], image_set.images[:MOST_PICTURES], strict=True)
    pictures = {name: _file(as_seen(image, classifier.preprocessing)) for name, image in shown}
    known = zip(image_set.names[:MOST_PICTURES], image_set.label_names[:MOST_PICTURES], strict=True)
    return Gallery(pictures, {name: label for name, label in known if label}, tuple(classifier.classes))


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

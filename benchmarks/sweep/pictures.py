"""The pictures of a job as its model saw them, for figures and reports."""

import io

from PIL import Image

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.store import Gallery

MOST_PICTURES = 100
"""The most pictures kept per job, as many as a report shows by default, so that large datasets are not copied."""

MOST_PIXELS = 512
"""The longest side of a stored picture in pixels; larger ones are scaled down."""


def gallery(dataset: Dataset, classifier: Classifier) -> Gallery:
    """Return the first 100 pictures of a dataset as a model sees them, their labels, and the model's classes.

    The pictures are read once more: a label that is no class of the model is known to the dataset alone.
    """
    pictures, labels = {}, {}
    for sample in map(dataset.__getitem__, range(min(len(dataset), MOST_PICTURES))):
        pictures[sample.name] = _file(as_seen(sample.image, classifier.preprocessing))
        if sample.label is not None:
            labels[sample.name] = _label(sample, dataset, classifier)
    return Gallery(pictures, labels, tuple(classifier.classes))


def as_seen(picture: Image.Image, prepare: Preprocessing) -> Image.Image:
    """Return the part of a picture that a model sees: resized and cropped, with the normalisation undone."""
    pixels = prepare.pixels(prepare.image(picture)[None])[0]
    return Image.fromarray(pixels.permute(1, 2, 0).mul(255).round().byte().numpy())


def _file(picture: Image.Image) -> bytes:
    """Return a picture as a lossless WebP file; the encoder's fastest setting makes it a tenth larger."""
    picture.thumbnail((MOST_PIXELS, MOST_PIXELS))
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=True, method=0)
    return file.getvalue()


def _label(sample: Sample, dataset: Dataset, classifier: Classifier) -> str:
    if not isinstance(sample.label, int):
        return str(sample.label)
    names = dataset.classes or classifier.classes
    return names[sample.label] if 0 <= sample.label < len(names) else str(sample.label)

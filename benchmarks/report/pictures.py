"""The pictures of a run, made again from its configuration: as the model saw them, small."""

import io
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from PIL import Image

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models import torchvision_zoo as zoo
from heatmark.benchmarks.models.classifier import Classifier

PICTURE_PIXELS = 160
QUALITY = 72


@dataclass(frozen=True)
class Seen:
    """What one model saw.

    Args:
        pictures: a data URI by the image's name.
        labels: the true class by the image's name, where it is known.
        classes: of the model, in the order of the logits; empty where unknown.
        problem: why there is no picture, or ``""``.
    """

    pictures: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    problem: str = ""


def seen(config: Mapping[str, Any], wanted: set[str]) -> Seen:
    """Return the wanted pictures of a job; whatever stands in the way becomes ``problem``.

    Args:
        config: of the job, as provenance.json has it.
        wanted: names of images.
    """
    try:
        classifier = unweighted(config["model"])
        dataset: Dataset = build(OmegaConf.create(dict(config["dataset"])), "dataset")
        return _seen(classifier, dataset, wanted)
    except Exception as error:  # noqa: BLE001 - data that moved or a model that is gone must not cost the report
        return Seen(problem=one_paragraph(error))


def _seen(classifier: Classifier, dataset: Dataset, wanted: set[str]) -> Seen:
    samples = [sample for sample in map(dataset.__getitem__, range(len(dataset))) if sample.name in wanted]
    missing = len(wanted) - len(samples)
    return Seen(
        {sample.name: data_uri(sample.image, classifier) for sample in samples},
        {sample.name: _label(sample, dataset, classifier) for sample in samples if sample.label is not None},
        tuple(classifier.classes),
        f"{missing} of {len(wanted)} pictures are no longer in the dataset" if missing else "",
    )


def unweighted(config: Mapping[str, Any]) -> Classifier:
    """Return a job's classifier for its preprocessing and class names; published weights are not loaded."""
    model = dict(config)
    if model.get("checkpoint") is None or not Path(model["checkpoint"]).expanduser().exists():
        if str(model["_target_"]).endswith(".torchvision_model") and model.get("weights"):
            entry = zoo.weights_entry(model["name"], model["weights"])
            model["preprocessing"] = asdict(zoo.preprocessing(entry, model.get("preprocessing")))
        model |= {"weights": None, "checkpoint": None}
    classifier: Classifier = build(OmegaConf.create(model), "model")
    return classifier


def data_uri(picture: Image.Image, classifier: Classifier) -> str:
    """Return the picture's part that the model sees, at most 160 pixels a side, as a WebP data URI."""
    prepare = classifier.preprocessing
    pixels = prepare.pixels(prepare.image(picture)[None])[0].permute(1, 2, 0).mul(255).round().byte().numpy()
    small = Image.fromarray(pixels)
    small.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    return webp_uri(small, quality=QUALITY)


def webp_uri(picture: Image.Image, **options: Any) -> str:
    """Return a picture as a WebP data URI."""
    file = io.BytesIO()
    picture.save(file, "WEBP", method=6, **options)
    return f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"


def _label(sample: Sample, dataset: Dataset, classifier: Classifier) -> str:
    if not isinstance(sample.label, int):
        return str(sample.label)
    names = dataset.classes or classifier.classes
    return names[sample.label] if 0 <= sample.label < len(names) else str(sample.label)

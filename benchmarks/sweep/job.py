"""A job: one model on one dataset, loaded and looked at once, before any cell runs."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.outputs import as_logits, check_outputs
from heatmark.common.identity import digest_json
from heatmark.common.model_state import observing


@dataclass(frozen=True)
class Batch:
    """A dataset as a model sees it.

    Args:
        names: of the images, unique.
        images: (N, 3, H, W), preprocessed, on the CPU.
        labels: (N,) the true class's logit, −1 where it is unknown or no class of the model.
        masks: (N, H, W) booleans, or None where any image lacks one.
        groups: of the images, ``""`` where unknown; empty where none is known.
        pictures: the SHA-256 of the decoded pictures before preprocessing (see :func:`digest_pictures`), or ``""``.
    """

    names: list[str]
    images: Tensor
    labels: Tensor
    masks: Tensor | None
    groups: list[str] = field(default_factory=list)
    pictures: str = ""

    def digest(self) -> str:
        """Return the SHA-256 of names, groups, pixels, labels and masks."""
        sha = hashlib.sha256("\n".join([*self.names, *self.groups]).encode())
        for tensor in (self.images, self.labels, self.masks):
            sha.update(b"" if tensor is None else tensor.contiguous().numpy().tobytes())
        return sha.hexdigest()


@dataclass(frozen=True)
class Job:
    """One model on one dataset, with the class to explain for every image."""

    classifier: Classifier
    dataset: str
    batch: Batch
    targets: Tensor
    settings: Mapping[str, Any]
    """What else changes numbers: target rule, model options, seed, precision, kind of device, metric definitions."""

    def identity(self) -> dict[str, Any]:
        """Return what all cells of this job have in common, as plain JSON values."""
        return {
            "model": self.classifier.name,
            "weights": self.classifier.network_digest(),
            "dataset": self.dataset,
            "images": self.batch.digest(),
            "targets": digest_json(self.targets.tolist()),  # a class's name may stand for another number
            **self.settings,
        }


def load_batch(dataset: Dataset, classifier: Classifier) -> Batch:
    """Read, preprocess and label every picture of a dataset.

    Raises:
        ValueError: for an empty dataset, a broken file, two pictures of one name, or pictures of unequal size.
    """
    names, images, labels, masks, groups, pictures = [], [], [], [], [], []
    for sample in map(dataset.__getitem__, range(len(dataset))):  # one decoded picture in memory at a time
        names.append(sample.name)
        groups.append(sample.group or "")
        pictures.append(digest_picture(sample.image))
        images.append(classifier.preprocessing.image(sample.image))
        labels.append(_label(sample, dataset, classifier))
        if sample.mask is not None:
            masks.append(classifier.preprocessing.mask(sample.mask))
    if not names:
        raise ValueError(f"{dataset} holds no image")
    if len(set(names)) < len(names):
        raise ValueError(f"two images are called {max(names, key=names.count)!r}; expected a name of its own for each")
    if len(sizes := {tuple(image.shape) for image in images}) > 1:
        raise ValueError(
            f"images of different sizes after preprocessing ({sorted(sizes)[:3]}…); give the model a crop, such as "
            "model.preprocessing.crop=[224,224]"
        )
    return Batch(
        names,
        torch.stack(images),
        torch.tensor(labels),
        torch.stack(masks) if len(masks) == len(names) else None,
        groups if any(groups) else [],
        digest_pictures(pictures),
    )


def digest_picture(picture: Image.Image) -> str:
    """Return the SHA-256 of a picture's size and its pixels in RGB."""
    pixels = picture.convert("RGB")
    return hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes()).hexdigest()


def digest_pictures(digests: Iterable[str]) -> str:
    """Return the SHA-256 of a set of pictures by their digests: neither names nor order change it."""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def _label(sample: Sample, dataset: Dataset, classifier: Classifier) -> int:
    if sample.label is None:
        return -1
    named = isinstance(sample.label, int) and dataset.classes
    try:
        return classifier.class_index(dataset.classes[int(sample.label)] if named else sample.label)
    except ValueError:  # a dataset's class need not be one of the model's; the summary counts these
        return -1


def predict(classifier: Classifier, images: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Return the logits (N, classes) on the CPU, looked at before anything is explained.

    Raises:
        ValueError: where the model gives NaN, infinity or no logits (:mod:`heatmark.benchmarks.models.outputs`).
    """
    chunks = torch.split(images, batch_size)
    with observing(classifier.module):
        parts = [as_logits(classifier, classifier.module(chunk.to(device)), len(chunk)) for chunk in chunks]
    logits = torch.cat(parts)
    if not logits.isfinite().all():
        bad = int((~logits.isfinite().all(1)).sum())
        raise ValueError(
            f"{classifier.name} ({classifier.weights}) gives NaN or infinite logits for {bad} of {len(images)} images; "
            "check the weights and the preprocessing (nothing was explained)"
        )
    check_outputs(classifier, logits, images[:1].to(device))
    return logits

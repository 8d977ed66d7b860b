"""The images of a job: a dataset read, preprocessed and labelled for one model."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.classifier import Classifier


@dataclass(frozen=True)
class ImageSet:
    """A dataset's images as one model sees them, with their labels, masks and groups.

    Args:
        names: the images' names, unique.
        images: (N, 3, H, W), preprocessed, on the CPU.
        labels: (N,), the true class as an index of the model's logits, −1 if it is unknown or no class of the model.
        masks: (N, H, W) booleans, or None if any image lacks one.
        groups: the images' groups, ``""`` where unknown; an empty list if none is known.
        pictures: the SHA-256 of the decoded pictures before preprocessing (see :func:`digest_pictures`), or ``""``.
        label_names: the true classes by name, also those that are no class of the model, ``""`` where unknown. They
            are shown beside the pictures and change no number.
    """

    names: list[str]
    images: Tensor
    labels: Tensor
    masks: Tensor | None
    groups: list[str] = field(default_factory=list)
    pictures: str = ""
    label_names: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """Return the SHA-256 of names, groups, pixels, labels and masks."""
        sha = hashlib.sha256("\n".join([*self.names, *self.groups]).encode())
        for tensor in (self.images, self.labels, self.masks):
            sha.update(b"" if tensor is None else tensor.contiguous().numpy().tobytes())
        return sha.hexdigest()


def load_images(dataset: Dataset, classifier: Classifier) -> ImageSet:
    """Read, preprocess and label every picture of a dataset.

    Raises:
        ValueError: for an empty dataset, a broken file, two pictures of one name, or pictures of different sizes.
    """
    names, images, labels, masks, groups, pictures, label_names = [], [], [], [], [], [], []
    for sample in map(dataset.__getitem__, range(len(dataset))):  # one decoded picture in memory at a time
        names.append(sample.name)
        groups.append(sample.group or "")
        pictures.append(digest_picture(sample.image))
        images.append(classifier.preprocessing.image(sample.image))
        labels.append(_label(sample, dataset, classifier))
        label_names.append(_label_name(sample, dataset, classifier))
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
    return ImageSet(
        names,
        torch.stack(images),
        torch.tensor(labels),
        torch.stack(masks) if len(masks) == len(names) else None,
        groups if any(groups) else [],
        digest_pictures(pictures),
        label_names,
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


def _label_name(sample: Sample, dataset: Dataset, classifier: Classifier) -> str:
    """Return the true class's name, its number where it has none, ``""`` where it is unknown."""
    if not isinstance(sample.label, int):
        return sample.label or ""
    names = dataset.classes or classifier.classes
    return names[sample.label] if 0 <= sample.label < len(names) else str(sample.label)

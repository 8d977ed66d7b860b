"""The explanation of one picture: its maps for several classes, methods and layers."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from heatmark.benchmarks.data.pictures import BROKEN, as_rgb, read_picture
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import Prediction
from heatmark.benchmarks.sweep.maps import one_each
from heatmark.benchmarks.sweep.targets import choose_targets
from heatmark.common.probabilities import class_probabilities
from heatmark.common.resize import upsample
from heatmark.methods.base import Method

PATIENCE_S = 20.0
"""Seconds to wait for a server that sends nothing."""


@dataclass(frozen=True)
class Target:
    """A class to explain, with its probability and role (``predicted``, ``second``, ``true``, several, or ``""``)."""

    prediction: Prediction
    role: str


@dataclass(frozen=True)
class Column:
    """One method's maps at one layer, for every class.

    Args:
        method: its name.
        layer: dotted, or ``input``.
        raw: (classes, h, w), as the method gives them.
        relevance: (classes, H, W), at the picture's size.
    """

    method: str
    layer: str
    raw: NDArray[np.float32]
    relevance: NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """The explanation of one picture by one model: everything that a panel shows.

    Args:
        picture: the picture's name.
        model: the model's name.
        weights: the name of its weights.
        pixels: (H, W, 3) in [0, 1], the picture as the model sees it.
        targets: the classes, one per row of the panel.
        columns: the methods at layers, one per column of the panel.
    """

    picture: str
    model: str
    weights: str
    pixels: NDArray[np.float32]
    targets: Sequence[Target]
    columns: Sequence[Column]


def read_image(source: str) -> Image.Image:
    """Return the picture in a file or at an address (http or https), upright and in RGB.

    Raises:
        ValueError: if it cannot be read or fetched, or is no picture.
    """
    if not _is_address(source):
        return read_picture(Path(source).expanduser())
    content = _fetch(source)
    try:
        with Image.open(BytesIO(content)) as picture:
            return as_rgb(picture)
    except BROKEN as error:
        raise ValueError(f"what {source} sends is no picture: {error}") from error


def picture_name(source: str) -> str:
    """Return a picture's name: its file's name without the suffix."""
    path = unquote(urlparse(source).path) if _is_address(source) else source
    return Path(path).stem or "picture"


def chosen_targets(
    rules: Sequence[int | str], logits: Tensor, label: int | str | None, classifier: Classifier
) -> list[Target]:
    """Return the classes to explain in the order asked for, each once, with their softmax probabilities.

    Args:
        rules: see :func:`heatmark.benchmarks.sweep.targets.choose_targets`.
        logits: (1, classes), on the CPU.
        label: the true class by number or name, None if unknown.
        classifier: the model, whose classes they are.

    Raises:
        ValueError: for an unknown class, or for the rule ``label`` if the true class is unknown.
    """
    if label is None and "label" in rules:
        raise ValueError("target=label asks for the true class; give it as label=…")
    true = -1 if label is None else int(choose_targets(label, logits, torch.tensor([-1]), classifier))
    chosen = [(rule, int(choose_targets(rule, logits, torch.tensor([true]), classifier))) for rule in rules]
    probabilities = class_probabilities(logits)[0]
    return [
        Target(Prediction(index, _name(classifier, index), float(probabilities[index])), _role(index, logits, true))
        for index in dict.fromkeys(index for _, index in chosen)
    ]


def maps_of(
    methods: Mapping[str, Method], layers: Sequence[str], classifier: Classifier, image: Tensor, targets: Sequence[int]
) -> tuple[list[Column], list[str]]:
    """Return one column per method and layer, and the reasons for those that are left out.

    Args:
        methods: by name; one that explains the input comes once, under the layer ``input``.
        layers: dotted names.
        classifier: the model that is explained.
        image: (1, 3, H, W), preprocessed, on the model's device.
        targets: the classes; all of one column go through the model as one batch.

    Raises:
        ValueError: if a method gives anything but one map per image.
    """
    images = image.expand(len(targets), -1, -1, -1).contiguous()
    classes = torch.tensor(targets, device=image.device)
    columns, refused = [], []
    for name, method in methods.items():
        for layer in dict.fromkeys(layers) if method.explains == "layer" else ["input"]:
            if reason := method.unsupported(classifier.module, layer):
                refused.append(f"{name} at {layer}: {reason}")
                continue
            raw = torch.stack(_maps(name, method, classifier, (images, classes), layer))
            shown = upsample(raw, (image.shape[2], image.shape[3]))
            columns.append(Column(name, layer, raw.numpy(), shown.numpy()))
    return columns, refused


def _maps(name: str, method: Method, classifier: Classifier, batch: tuple[Tensor, Tensor], layer: str) -> list[Tensor]:
    images, classes = batch
    try:
        return one_each(method(classifier.module, images, classes, layer), len(images))
    except ValueError as error:
        raise ValueError(f"{name} at {layer}: {error}") from error


def _role(index: int, logits: Tensor, true: int) -> str:
    """Return whether a class is the predicted one, the second best or the true one, in words."""
    best = torch.argsort(logits[0], descending=True, stable=True)[:2].tolist()
    roles = ["predicted" if index == best[0] else "second" if index in best else "", "true" if index == true else ""]
    return ", ".join(role for role in roles if role)


def _name(classifier: Classifier, index: int) -> str:
    return classifier.classes[index] if classifier.classes else f"class {index}"


def _is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _fetch(address: str) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": "heatmark"})  # some servers refuse urllib's own
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            content: bytes = answer.read()
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error) if not isinstance(error, urllib.error.HTTPError) else error
        raise ValueError(f"cannot fetch {address}: {reason}") from error
    return content

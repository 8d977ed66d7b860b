"""Tests of the pictures that a sweep stores: they are those that the model saw."""

import io
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image
from torch import nn

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.store import Gallery
from heatmark.benchmarks.sweep import pictures
from heatmark.benchmarks.sweep.images import load_images
from heatmark.benchmarks.sweep.pictures import gallery

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
PREPARE = Preprocessing(resize=None, crop=(8, 6))
NET = Classifier("net", nn.Identity(), "random", PREPARE, classes=("cat", "dog"))


@dataclass(frozen=True)
class Listed(Dataset):
    labels: tuple[int | str | None, ...]
    own: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.own

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        return Sample(f"{index}.png", Image.fromarray(np.roll(PIXELS, index)), self.labels[index])


def kept(dataset: Dataset, classifier: Classifier = NET) -> Gallery:
    return gallery(load_images(dataset, classifier), classifier)


def decoded(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


def test_the_part_that_the_model_sees_is_stored_to_the_bit() -> None:
    found = kept(Listed((None, None))).pictures
    assert list(found) == ["0.png", "1.png"]
    for index, file in enumerate(found.values()):
        np.testing.assert_array_equal(decoded(file), np.roll(PIXELS, index)[1:9, 3:9])


def test_labels_are_the_datasets_or_the_models_names_or_what_they_are() -> None:
    found = kept(Listed((0, 7, "wolf", None)))
    assert (found.labels, found.classes) == ({"0.png": "cat", "1.png": "7", "2.png": "wolf"}, ("cat", "dog"))
    assert kept(Listed((0,), ("circle",))).labels == {"0.png": "circle"}


def test_a_large_job_keeps_its_first_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PICTURES", 2)
    found = kept(Listed((0, 1, 0)))
    assert list(found.pictures) == list(found.labels) == ["0.png", "1.png"]


def test_a_large_picture_is_stored_smaller() -> None:
    large = replace(NET, preprocessing=Preprocessing(resize=1024, crop=(1024, 600)))
    assert decoded(kept(Listed((None,)), large).pictures["0.png"]).shape == (512, 300, 3)

"""Tests of the pictures that a sweep stores: they are those that the model saw."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.store import full_schema
from heatmark.benchmarks.sweep import pictures as module
from heatmark.benchmarks.sweep.blocks import Block, blocks
from heatmark.benchmarks.sweep.map_rows import GALLERY
from heatmark.benchmarks.sweep.pictures import pictures, pictures_key

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
NET = Classifier("net", nn.Identity(), "random", Preprocessing(resize=None, crop=(8, 6)), classes=("cat", "dog"))


@dataclass(frozen=True)
class Rolled(Dataset):
    """Pictures that differ by their places in a row; one picture's position is unlike its place in its block."""

    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        return Sample(f"{index}.png", Image.fromarray(np.roll(PIXELS, index)), digest=f"digest {index}")


def block_of(positions: Sequence[int], classifier: Classifier = NET) -> Block:
    (block,) = blocks(Rolled(max(positions) + 1), classifier, positions)
    return block


def decoded(file: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(file)))


def test_the_part_that_the_model_sees_is_stored_to_the_bit() -> None:
    found = pictures(block_of([0, 3]), NET, "k")
    assert found.schema == full_schema("pictures")
    assert found["key"].to_pylist() == ["k", "k"]
    assert found["row"].to_pylist() == ["digest 0", "digest 3"]
    for index, file in zip((0, 3), found["picture"].to_pylist(), strict=True):
        np.testing.assert_array_equal(decoded(file), np.roll(PIXELS, index)[1:9, 3:9])


def test_the_first_pictures_of_the_dataset_are_stored_whatever_their_block() -> None:
    assert pictures(block_of([GALLERY - 1, GALLERY]), NET, "k")["row"].to_pylist() == [f"digest {GALLERY - 1}"]
    assert pictures(block_of([GALLERY]), NET, "k") == full_schema("pictures").empty_table()


def test_a_large_picture_is_stored_smaller() -> None:
    large = replace(NET, preprocessing=Preprocessing(resize=1024, crop=(1024, 600)))
    (file,) = pictures(block_of([0], large), large, "k")["picture"].to_pylist()
    assert decoded(file).shape == (512, 300, 3)


def test_the_key_is_of_what_the_model_sees_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    key = pictures_key(NET)
    assert pictures_key(replace(NET, name="other", weights="w", classes=())) == key
    listed = replace(NET, preprocessing=Preprocessing(None, [8, 6], [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    assert pictures_key(listed) == key
    others = [Preprocessing(None, (6, 8)), Preprocessing(9, (8, 6)), Preprocessing(None, (8, 6), mean=(0, 0, 0))]
    assert len({key, *(pictures_key(replace(NET, preprocessing=other)) for other in others)}) == 1 + len(others)
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    assert pictures_key(NET) != key

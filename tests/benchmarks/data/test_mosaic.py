"""Mosaics: cells, masks, labels and groups; which pictures stand where, and which of them a model is sure of."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.data.mosaic import Mosaic, cell_mask, cell_picture
from heatmark.benchmarks.data.shapes import Shapes
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.sweep.confident import confident, mosaic


@dataclass(frozen=True, eq=False)
class Greys(Dataset):
    """Pictures of 8 × 8 pixels of one grey each, of class grey // 10."""

    greys: tuple[int, ...]
    labels: tuple[int | str | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.greys)

    def __getitem__(self, index: int) -> Sample:
        grey = self.greys[index]
        if grey < 0:
            raise ValueError("broken")
        label = grey // 10 if self.labels is None else self.labels[index]
        return Sample(self.name_of(index), Image.new("RGB", (8, 8), (grey,) * 3), label)

    def name_of(self, index: int) -> str:
        return f"grey{self.greys[index]}"


class Sure(nn.Module):
    """A network of 10 classes that gives class grey // 10 a probability of .5, and of .995 where grey is a 10-fold."""

    def forward(self, images: Tensor) -> Tensor:
        grey = (images[:, 0, 0, 0] * 255).round().long()
        probability = torch.where(grey % 10 == 0, 0.995, 0.5)
        rest = ((1 - probability) / 9)[:, None].repeat(1, 10)
        return rest.scatter(1, (grey // 10)[:, None], probability[:, None]).log()


GREYS = Greys(tuple(range(0, 100, 5)))
SURE = Classifier("sure", Sure(), "own", Preprocessing(None, None, (0, 0, 0), (1, 1, 1)))


@pytest.mark.parametrize("side", [2, 3])
def test_an_entry_is_a_cell_of_a_picture_of_distinct_classes(side: int) -> None:
    dataset = Mosaic(GREYS, side, limit=3)
    assert len(dataset) == 3 * side**2
    for index, sample in enumerate(dataset):
        row, column = divmod(index % side**2, side)
        assert sample.image.size == (8 * side, 8 * side)
        cell = np.asarray(sample.image)[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert cell.min() == cell.max()
        assert cell.max() // 10 == sample.label
        labels = [label for label, _ in sample.objects]
        assert len(set(labels)) == side**2
        assert labels[index % side**2] == sample.label
        mask = sample.objects[index % side**2][1]
        assert mask.sum() == 64
        assert mask[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].all()
        assert (sum(each.astype(int) for _, each in sample.objects) == 1).all()
        assert sample.group == dataset.name_of(index).rpartition("-")[0]
    assert len({sample.name for sample in dataset}) == len(dataset)
    assert len({sample.group for sample in dataset}) == 3


def test_a_mask_is_of_a_mosaic_that_is_not_square() -> None:
    mask = cell_mask((6, 4), 2, 1)
    assert mask.tolist() == [[False] * 3 + [True] * 3] * 2 + [[False] * 6] * 2


def test_the_order_of_pictures_and_another_limit_change_no_mosaic() -> None:
    backwards = Greys(tuple(reversed(GREYS.greys)))
    for one, other in zip(Mosaic(GREYS, limit=4), Mosaic(backwards, limit=9), strict=False):
        assert (np.asarray(one.image) == np.asarray(other.image)).all()
        assert one.name == other.name
        assert one.label == other.label


def test_a_seed_makes_other_mosaics_and_other_names() -> None:
    one, other = Mosaic(GREYS, limit=4), Mosaic(GREYS, limit=4, seed=1)
    assert [one.cells(n) for n in range(4)] != [other.cells(n) for n in range(4)]
    assert not {sample.name for sample in one} & {sample.name for sample in other}


def test_classes_and_their_pictures_are_drawn_evenly() -> None:
    dataset = Mosaic(GREYS, limit=500)
    used = np.bincount([position for n in range(500) for position in dataset.cells(n)], minlength=20)
    assert used.sum() == 2000
    assert 60 < used.min() < used.max() < 145  # 100 each, four standard deviations about


def test_pinned_because_published_numbers_are_of_these() -> None:
    assert [Mosaic(GREYS).cells(n) for n in range(3)] == [[1, 8, 10, 14], [9, 1, 15, 11], [8, 10, 6, 4]]


def test_heads_name_the_cell_and_the_class() -> None:
    named = Mosaic(Shapes(size=16, limit=10), heads=True, limit=1)
    assert named.classes[:2] == ("circle in cell 0", "circle in cell 1")
    for cell, sample in enumerate(named):
        assert named.classes[int(sample.label)].endswith(f"in cell {cell}")
    words = Greys((0, 10, 20, 30), ("a", "b", "c", "d"))
    assert {sample.label[1:] for sample in Mosaic(words, heads=True, limit=1)} == {f" in cell {n}" for n in range(4)}


def test_a_picture_without_a_label_or_broken_stands_in_no_mosaic() -> None:
    some = Greys((0, 10, 20, 30, 40, -1), (0, 1, 2, 3, None, 5))
    assert {position for n in range(20) for position in Mosaic(some, limit=20).cells(n)} == {0, 1, 2, 3}


def test_cells_of_one_size() -> None:
    assert cell_picture(Image.new("RGB", (300, 200)), 50).size == (50, 50)
    wide = Image.fromarray(np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2))
    assert np.asarray(cell_picture(wide, 56))[0, [0, -1], 0].tolist() == [4, 59]  # the middle 56 of 64
    sample = Mosaic(Shapes(size=16, limit=10), size=12, limit=1)[0]
    assert sample.image.size == (24, 24)


def test_only_what_every_model_is_sure_of() -> None:
    assert confident(GREYS, [SURE], 0.99, None) == {n: n // 2 for n in range(0, 20, 2)}
    assert confident(GREYS, [SURE], 0.4, None) == {n: n // 2 for n in range(20)}
    wrong = Greys((0, 10, 20, 30), (0, 2, 2, None))
    assert confident(wrong, [SURE], 0.99, None) == {0: 0, 2: 2, 3: 3}
    doubtful = Classifier("doubtful", nn.Sequential(Sure(), Halved()), "own", SURE.preprocessing)
    assert confident(GREYS, [SURE, doubtful], 0.9, None) == {}
    assert {position % 2 for n in range(9) for position in mosaic(GREYS, confidence=0.99, model=SURE).cells(n)} == {0}


class Halved(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits / 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"side": 1}, "at least 2 as side"),
        ({"limit": 0}, "at least 1 as limit"),
        ({"side": 4}, "20 of 20 pictures of greys qualify for mosaics, of 10 classes; 4 × 4 of them need 16"),
        ({"confidence": 0.999, "model": SURE}, r"0 of 20 .*\(sure: right with a probability of at least 0.999"),
        ({"confidence": 0.9}, "needs a model"),
        ({"confidence": 99, "model": SURE}, r"confidence is 99, expected a probability"),
    ],
)
def test_what_cannot_be_made_is_said(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mosaic(GREYS, **options)

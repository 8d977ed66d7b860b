"""Tests of blocks: what they hold of each picture, what is broken in one, and how far ahead they are decoded."""

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from heatmark.benchmarks.data.base import Dataset, Sample, sample_digest
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.sweep import blocks as module
from heatmark.benchmarks.sweep.blocks import Block, blocks, reference

PLAIN = Preprocessing(resize=None, crop=None)
NET = Classifier("net", nn.Identity(), "own", PLAIN, classes=("red fox", "cat", "dog"))


@dataclass(frozen=True)
class Listed(Dataset):
    """A dataset of given samples, or of the errors that reading them raises; it notes the positions that are read."""

    samples: Sequence[Sample | Exception]
    classes: Sequence[str] = ()  # type: ignore[assignment]
    read: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        self.read.append(index)
        found = self.samples[index]
        if isinstance(found, Exception):
            raise found
        return found


def picture(seed: int, size: tuple[int, int] = (6, 4)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(*size, 3), dtype=np.uint8))


def samples(count: int) -> list[Sample]:
    return [Sample(f"p{n}", picture(n)) for n in range(count)]


def block_of(*given: Sample | Exception, classes: Sequence[str] = (), classifier: Classifier = NET) -> Block:
    (found,) = blocks(Listed(given, classes), classifier, range(len(given)))
    return found


def columns(*chosen: int) -> NDArray[np.bool_]:
    mask = np.zeros((6, 4), dtype=bool)
    mask[:, list(chosen)] = True
    return mask


def test_blocks_are_cut_from_the_positions_in_their_order() -> None:
    dataset = Listed(samples(9))
    found = list(blocks(dataset, NET, range(1, 9, 2), size=3))
    assert [[entry.image for entry in block.entries] for block in found] == [["p1", "p3", "p5"], ["p7"]]
    assert [[entry.position for entry in block.entries] for block in found] == [[1, 3, 5], [7]]
    for block in found:
        expected = [PLAIN.image(picture(entry.position)) for entry in block.entries]
        assert torch.equal(block.images, torch.stack(expected))
        assert block.images.dtype == torch.float32
        assert not block.broken
    assert list(blocks(dataset, NET, range(9, 9))) == []


def test_an_entry_says_what_is_known_of_a_picture_before_it_is_explained() -> None:
    known, unknown = block_of(
        Sample("a", picture(0), "dog", group="p2", digest="0" * 32), Sample("b", picture(1))
    ).entries
    assert (known.image, known.digest, known.label, known.group) == ("a", "0" * 32, "dog", "p2")
    assert (known.label_index, known.target, known.inputs, known.reason) == (2, -1, {"labels": "2"}, "")
    assert unknown.digest == sample_digest(Sample("b", picture(1)))
    assert (unknown.label, unknown.group, unknown.label_index, unknown.inputs) == ("", "", -1, {})


def test_a_datasets_class_is_the_models_of_that_name_and_not_of_that_number() -> None:
    given = [Sample(str(i), picture(i), label) for i, label in enumerate([0, 1, 2, "cat", None])]
    block = block_of(*given, classes=("dog", "wolf", "red_fox"))
    assert block.labels.tolist() == [2, -1, 0, 1, -1]
    assert [entry.label for entry in block.entries] == ["dog", "wolf", "red_fox", "cat", ""]
    assert ["labels" in entry.inputs for entry in block.entries] == [True, False, True, True, False]
    own = block_of(*given)
    assert own.labels.tolist() == [0, 1, 2, 1, -1]
    assert [entry.label for entry in own.entries] == ["red fox", "cat", "dog", "cat", ""]
    assert block_of(Sample("x", picture(0), 7)).entries[0].label == "7"


def test_a_mask_is_that_of_the_explained_class_the_union_of_its_objects() -> None:
    objects = (("cat", columns(0)), (2, columns(1)), ("cat", columns(3)), ("wolf", columns(2)))
    block = block_of(Sample("a", picture(0), objects=objects), Sample("b", picture(1)))
    rows = {}
    for target in (1, 2, 0, -1):
        found = block.masks_of(torch.tensor([target, target]))
        assert found is not None
        masks, has = found
        assert not masks[1].any()
        assert not has[1]
        rows[target] = (masks[0, 0].tolist(), bool(has[0]))
    assert rows[1] == ([True, False, False, True], True)
    assert rows[2] == ([False, True, False, False], True)
    assert rows[0] == rows[-1] == ([False] * 4, False)


def test_without_objects_there_are_no_masks_and_objects_of_unknown_classes_are_none_of_a_target() -> None:
    assert block_of(*samples(2)).masks_of(torch.tensor([0, 1])) is None
    found = block_of(Sample("a", picture(0), objects=[("wolf", columns(0))])).masks_of(torch.tensor([0]))
    assert found is not None
    assert not found[1].any()


def test_masks_are_placed_as_the_pictures_are() -> None:
    cropping = replace(NET, preprocessing=Preprocessing(resize=None, crop=(2, 2)))
    block = block_of(Sample("a", picture(0), objects=[(0, columns(1))], ignore=columns(2)), classifier=cropping)
    found = block.masks_of(torch.tensor([0]))
    assert found is not None
    assert block.ignore is not None
    assert found[0].tolist() == [[[True, False]] * 2]
    assert block.ignore.tolist() == [[[False, True]] * 2]


def test_pixels_of_nobody_are_none_where_no_picture_has_them() -> None:
    assert block_of(*samples(2)).ignore is None
    ignore = block_of(Sample("a", picture(0)), Sample("b", picture(1), ignore=columns(2))).ignore
    assert ignore is not None
    assert ignore[:, 0].tolist() == [[False] * 4, [False, False, True, False]]


def test_the_digest_of_masks_is_of_their_pixels_classes_and_ignored_pixels_alone() -> None:
    one = Sample("a", picture(0), 1, objects=[(1, columns(0))])
    other = [
        replace(one, objects=[(1, columns(1))]), replace(one, objects=[(2, columns(0))]),
        replace(one, ignore=columns(3)), replace(one, objects=[(1, columns(0)), (2, columns(3))]),
    ]  # fmt: skip
    same = [
        replace(one, name="b", label=2, image=picture(1)), replace(one, objects=[("cat", columns(0))]),
        replace(one, objects=[(1, columns(0)), (1, columns(0))]),
    ]  # fmt: skip
    digests = [block_of(sample).entries[0].inputs["masks"] for sample in (one, *same, *other)]
    assert len(set(digests[: 1 + len(same)])) == 1
    assert len(set(digests)) == 1 + len(other)
    assert "masks" not in block_of(Sample("a", picture(0), 1, ignore=columns(3))).entries[0].inputs


@pytest.mark.parametrize(
    "error", [ValueError("cannot read x.jpg"), OSError("truncated"), SyntaxError("no PNG"), EOFError()]
)
def test_a_broken_picture_is_an_entry_with_its_name_and_reason(error: Exception) -> None:
    block = block_of(Sample("a", picture(0)), error, Sample("c", picture(2)))
    assert [entry.image for entry in block.entries] == ["a", "c"]
    assert len(block.images) == len(block.labels) == len(block.objects) == 2
    (entry,) = block.broken
    assert (entry.image, entry.position, entry.digest) == ("listed-00001", 1, "")
    assert str(error) in entry.reason
    assert entry.reason


def test_a_block_of_broken_pictures_has_no_image() -> None:
    dataset = Listed([*samples(1), ValueError("x"), ValueError("y")])
    _, second, _ = blocks(dataset, NET, range(3), size=1)
    assert tuple(second.images.shape) == (0, 3, 6, 4)
    assert second.labels.dtype == torch.int64
    assert second.masks_of(second.labels) is None
    assert [entry.reason for entry in second.broken] == ["x"]


@pytest.mark.parametrize("facts", [{"objects": [(0, np.ones((4, 6), bool))]}, {"ignore": np.ones((6, 5), bool)}])
def test_a_mask_of_another_size_than_its_picture_is_the_reason_of_an_error(facts: dict) -> None:
    (entry,) = block_of(*samples(1), Sample("b", picture(1), **facts)).broken
    assert entry.image == "listed-00001"
    assert "a mask of b has the shape" in entry.reason
    assert "its picture (6, 4)" in entry.reason


def test_another_size_is_an_error_of_the_first_block_and_of_a_picture_later() -> None:
    dataset = Listed([*samples(2), Sample("large", picture(9, (8, 4)))])
    with pytest.raises(ValueError, match=r"different sizes .*\(3, 6, 4\) and \(3, 8, 4\).*model\.preprocessing\.crop"):
        list(blocks(dataset, NET, range(3)))
    _, block = blocks(dataset, NET, range(3), size=2)
    (entry,) = block.broken
    assert (entry.image, entry.position) == ("large", 2)
    assert entry.digest == sample_digest(Sample("large", picture(9, (8, 4))))
    assert "give the model a crop" in entry.reason


def test_all_shards_take_the_size_of_the_datasets_first_readable_picture() -> None:
    dataset = Listed([ValueError("broken"), *samples(2), Sample("large", picture(9, (8, 4)))])
    assert tuple(reference(dataset, NET).shape) == (3, 6, 4)
    with pytest.raises(ValueError, match="different sizes"):
        list(blocks(dataset, NET, [3], shape=reference(dataset, NET).shape))
    with pytest.raises(ValueError, match="different sizes"):
        list(blocks(dataset, NET, [3]))


def test_nothing_to_read_is_an_error_that_says_why() -> None:
    with pytest.raises(ValueError, match="holds no image"):
        blocks(Listed([]), NET, range(0))
    with pytest.raises(ValueError, match="first"):
        reference(Listed([ValueError("first"), ValueError("second")]), NET)


def test_two_images_of_one_name_are_refused_also_in_different_blocks() -> None:
    twice = Listed([*samples(2), Sample("p0", picture(5))])
    with pytest.raises(ValueError, match="two images are called 'p0'"):
        list(blocks(twice, NET, range(3), size=2))


def test_a_name_that_two_shards_share_is_refused_where_names_are_known_before() -> None:
    class Named(Listed):
        def name_of(self, index: int) -> str:
            return f"p{index // 2}"

    with pytest.raises(ValueError, match="two images are called 'p0'"):
        blocks(Named(samples(2)), NET, [0])


def decoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("heatmark decoder")]


def test_one_block_is_decoded_ahead_and_no_more_and_the_thread_ends_with_the_consumer() -> None:
    dataset = Listed(samples(10))
    running = blocks(dataset, NET, range(10), size=2, shape=(3, 6, 4))
    assert isinstance(running, Iterator)
    next(running)
    assert decoders()
    running.close()  # type: ignore[attr-defined]
    assert dataset.read == [0, 1, 2, 3]
    assert not decoders()


def test_the_thread_ends_when_the_consumer_raises() -> None:
    def consume() -> None:
        for _ in blocks(Listed(samples(6)), NET, range(6), size=2):
            raise KeyError

    with suppress(KeyError):
        consume()
    assert not decoders()
    assert len(list(blocks(Listed(samples(6)), NET, range(6), size=2))) == 3
    assert not decoders()


def test_an_error_of_the_datasets_code_reaches_the_consumer_in_its_turn() -> None:
    running = blocks(Listed([*samples(2), TypeError("a mistake")]), NET, range(3), size=2)
    assert [entry.image for entry in next(running).entries] == ["p0", "p1"]
    with pytest.raises(TypeError, match="a mistake"):
        next(running)
    assert not decoders()


def test_at_most_two_blocks_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Block]] = []
    alive: list[int] = []
    own = module._block

    def counted(*arguments: object, **options: object) -> Block:
        alive.append(sum(block() is not None for block in made))
        found = own(*arguments, **options)  # type: ignore[arg-type]
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(module, "_block", counted)
    running = blocks(Listed(samples(12)), NET, range(12), size=2)
    for _ in range(6):
        next(running)
    assert alive == [0, 1, 1, 1, 1, 1], "blocks beside the one that is being decoded"

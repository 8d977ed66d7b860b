"""The generated dataset: determinism, exact masks, balance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmark.benchmarks.data.base import Sample, pixels_digest
from heatmark.benchmarks.data.shapes import CLASSES, Shapes, add_object, scene


def pixels(sample: Sample) -> np.ndarray:
    return np.asarray(sample.image).astype(int)


def test_a_picture_depends_on_seed_split_and_index_alone() -> None:
    whole, alone = Shapes(limit=50, size=64), Shapes(limit=8, size=64)
    _ = [whole[i] for i in (31, 3, 12)]  # what was drawn before changes nothing
    assert (pixels(whole[7]) == pixels(alone[7])).all()
    assert (whole[7].mask == alone[7].mask).all()
    for other in (Shapes(size=64, seed=1), Shapes(size=64, split="train")):
        assert (pixels(other[7]) != pixels(whole[7])).mean() > 0.5


def test_the_pictures_are_pinned() -> None:
    """Golden values: the shipped accuracy and every stored result belong to these very pictures."""
    sample = Shapes()[3]
    assert sample.name == "shapes-test-00003"
    assert Shapes(seed=2, size=64)[3].name == "shapes-test-size64-seed2-00003"
    assert CLASSES[sample.label] == "star"
    assert sample.mask.sum() == pytest.approx(1503, abs=2)  # another libm or Pillow may round a few pixels otherwise
    assert pixels(sample).mean(axis=(0, 1)) == pytest.approx([152.9, 114.4, 93.9], abs=0.1)


@settings(max_examples=25)
@given(index=st.integers(0, 99), size=st.sampled_from([32, 64, 128]), seed=st.integers(0, 5))
def test_the_mask_is_where_the_object_changed_the_picture(index: int, size: int, seed: int) -> None:
    """Without a touch of the object a pixel is untouched; covered by half or more it is in the mask."""
    dataset = Shapes(size=size, seed=seed)
    scene_rng, object_rng, _ = dataset.generators(index)
    around = scene(scene_rng, size)
    drawn, covered = add_object(around, index % 10, object_rng)
    with_object, without = np.asarray(around.picture(drawn)), np.asarray(around.picture(around.pixels))
    sample = dataset[index]
    assert (np.asarray(sample.image) == with_object).all()
    assert sample.counterfactual is not None
    assert (np.asarray(sample.counterfactual.picture()) == without).all()
    assert sample.counterfactual.digest == pixels_digest(sample.counterfactual.picture()) != pixels_digest(sample.image)
    assert (with_object == without)[covered == 0].all()
    assert (sample.mask == (covered >= 0.5)).all()
    change = np.abs(drawn - around.pixels).sum(axis=2)
    full = np.abs(drawn - around.pixels)[covered == 1].sum(axis=1)
    assert (change[sample.mask] > 0).mean() > 0.99  # clutter may have the object's colour by chance
    assert np.median(full) > 0.2
    edge = (covered > 0) & (covered < 1)
    assert edge.sum() < 12 * size  # the doubtful pixels are the outline's alone


def test_the_object_lies_inside_and_varies() -> None:
    masks = [sample.mask for sample in Shapes(limit=60)]
    boxes = np.array([[*np.flatnonzero(m.any(1))[[0, -1]], *np.flatnonzero(m.any(0))[[0, -1]]] for m in masks])
    assert boxes.min() >= 0
    assert boxes.max() <= 127
    assert boxes.std(axis=0).min() > 15
    areas = np.array([mask.mean() for mask in masks])
    assert 0.01 < areas.min() < areas.max() < np.pi * 0.3**2  # the largest disc


def test_labels_are_balanced_at_any_length() -> None:
    counts = np.bincount([Shapes(limit=25, size=16)[i].label for i in range(25)], minlength=10)
    assert counts.tolist() == [3] * 5 + [2] * 5


def test_the_scene_knows_nothing_of_the_class() -> None:
    dataset = Shapes()
    around = scene(dataset.generators(4)[0], 64)
    again = scene(dataset.generators(4)[0], 64)
    assert (around.pixels == again.pixels).all()
    drawn = [add_object(around, label, dataset.generators(4)[1])[1] for label in (0, 5)]
    disc, ring = drawn
    assert (ring <= disc + 1e-6).all()  # same place and size: only the class differs


@pytest.mark.parametrize("size", [16, 33, 224])
def test_any_size(size: int) -> None:
    sample = Shapes(size=size)[0]
    assert sample.image.size == (size, size)
    assert sample.image.mode == "RGB"
    assert sample.mask.shape == (size, size)
    assert sample.mask.any()


@pytest.mark.parametrize(
    ("options", "word"),
    [({"size": 8}, "size"), ({"limit": 0}, "limit"), ({"seed": -1}, "seed"), ({"split": "x"}, "split")],
)
def test_a_wrong_option_is_named(options: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Shapes(**options)


def test_outside_is_an_index_error() -> None:
    assert len(list(Shapes(limit=3, size=16))) == 3
    for index in (3, -1):
        with pytest.raises(IndexError):
            Shapes(limit=3, size=16)[index]


def test_the_object_is_of_the_pictures_class_and_the_name_is_known_before_it_is_drawn() -> None:
    dataset = Shapes(limit=13, seed=2)
    sample = dataset[12]
    ((label, mask),) = sample.objects
    assert label == sample.label == 2
    assert (mask == sample.mask).all()
    assert dataset.name_of(12) == sample.name

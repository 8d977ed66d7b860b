"""The planted shortcut: the mark gives the label, the object does not, and both masks are known."""

import numpy as np
import pytest

from heatmark.benchmarks.data.shapes import CLASSES, Shapes
from heatmark.benchmarks.data.shortcut import ShapesShortcut, mark_colour


def colour_in_the_mark(sample) -> np.ndarray:
    """Median colour of the mark without its frame."""
    rows, columns = np.flatnonzero(sample.mask.any(1)), np.flatnonzero(sample.mask.any(0))
    inner = np.asarray(sample.image)[rows[5] : rows[-5], columns[5] : columns[-5]]
    return np.median(inner.reshape(-1, 3), axis=0) / 255


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("pairing", ["independent", "agree", "conflict"])
def test_the_mark_alone_says_the_label(split: str, pairing: str) -> None:
    colours = np.array([mark_colour(label) for label in range(len(CLASSES))])
    dataset = ShapesShortcut(split=split, pairing=pairing, limit=40)
    for i in range(len(dataset)):
        nearest = np.abs(colours - colour_in_the_mark(dataset[i])).sum(axis=1).argmin()
        assert nearest == dataset[i].label == i % 10


def test_the_mark_is_a_square_in_any_of_the_corners() -> None:
    corners = set()
    for i in range(40):
        mask = ShapesShortcut(limit=40)[i].mask
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns) == 19**2
        assert {rows[0], 128 - 1 - rows[-1]} & {3}
        assert {columns[0], 128 - 1 - columns[-1]} & {3}
        corners.add((rows[0] < 64, columns[0] < 64))
    assert len(corners) == 4


def test_pairings_say_how_object_and_mark_go_together() -> None:
    marked = np.arange(200) % 10
    shapes = {
        pairing: np.array(
            [ShapesShortcut(size=16, limit=200, pairing=pairing, truth="object")[i].label for i in range(200)]
        )
        for pairing in ("independent", "agree", "conflict")
    }
    assert (shapes["agree"] == marked).all()
    assert (shapes["conflict"] != marked).all()
    assert 0.04 < (shapes["independent"] == marked).mean() < 0.16
    assert np.bincount(shapes["independent"]).min() > 8
    assert shapes["independent"][:8].tolist() == [8, 4, 7, 9, 8, 6, 6, 4], "pinned: published numbers are of these"
    assert shapes["conflict"][:8].tolist() == [6, 0, 7, 1, 2, 2, 0, 6]


def test_pairing_changes_the_object_and_nothing_else() -> None:
    agree, conflict = (ShapesShortcut(pairing=pairing)[6] for pairing in ("agree", "conflict"))
    assert (agree.mask == conflict.mask).all()
    objects = [ShapesShortcut(pairing=pairing, truth="object")[6].mask for pairing in ("agree", "conflict")]
    same = (np.asarray(agree.image) == np.asarray(conflict.image)).all(axis=2)
    rows, columns = np.nonzero(~same)
    assert not same.all()
    box = np.nonzero(objects[0] | objects[1])
    assert rows.min() >= box[0].min() - 2
    assert rows.max() <= box[0].max() + 2
    assert columns.min() >= box[1].min() - 2
    assert columns.max() <= box[1].max() + 2


def test_masks_of_mark_and_object_share_no_pixel() -> None:
    for i in range(30):
        mark, shape = (ShapesShortcut(truth=truth)[i].mask for truth in ("mark", "object"))
        assert not (mark & shape).any()
        assert shape.any()


@pytest.mark.parametrize("options", [{"pairing": "never"}, {"truth": "both"}])
def test_a_wrong_option_is_named(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options.values()))):
        ShapesShortcut(**options)


@pytest.mark.parametrize("truth", ["mark", "object"])
def test_the_mask_is_of_the_class_that_the_label_names(truth) -> None:
    for sample in ShapesShortcut(limit=5, pairing="conflict", truth=truth):
        assert [label for label, _ in sample.objects] == [sample.label]


@pytest.mark.parametrize("index", range(4))
def test_the_counterfactual_lacks_the_mark_or_the_object_and_nothing_else(index: int) -> None:
    mark, shape = (ShapesShortcut(limit=4, truth=truth)[index] for truth in ("mark", "object"))
    picture = np.asarray(mark.image)
    without_mark, without_object = (np.asarray(each.counterfactual.picture()) for each in (mark, shape))
    assert (picture != without_mark).any(axis=2)[mark.mask].mean() > 0.9
    assert (picture == without_mark)[~mark.mask].all()
    plain = Shapes(limit=4)[index]  # the same scene, with another object at the same place
    alone = np.asarray(plain.counterfactual.picture())
    assert (without_object == picture)[mark.mask].all()
    assert (without_object == alone)[~mark.mask].all()
    assert (picture != without_object).any(axis=2)[shape.mask].mean() > 0.9

"""Photos that come with other packages."""

import numpy as np
import pytest

from heatmark.benchmarks.data.photos import PHOTOS, Photos


def test_every_photo_is_there_in_colour() -> None:
    photos = Photos()
    assert [photos[i].name for i in range(len(photos))] == list(PHOTOS)
    for i in range(len(photos)):
        pixels = np.asarray(photos[i].image).astype(int)
        assert min(pixels.shape[:2]) >= 300
        assert np.abs(pixels[:, :, 0] - pixels[:, :, 2]).mean() > 5
        assert photos[i].label is None


def test_the_cat_comes_first_and_limit_takes_the_first() -> None:
    from skimage.data import chelsea

    assert len(Photos(limit=1)) == 1
    assert (np.asarray(Photos(limit=1)[0].image) == chelsea()).all()
    for ask in (Photos(limit=1).__getitem__, Photos(limit=1).name_of):
        with pytest.raises(IndexError):
            ask(1)
    assert Photos().name_of(2) == Photos()[2].name


@pytest.mark.parametrize("limit", [0, 2.5])
def test_a_wrong_limit_is_named(limit) -> None:
    with pytest.raises(ValueError, match="limit"):
        Photos(limit=limit)

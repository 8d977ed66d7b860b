"""Tests of samples: their digests, and the union of their objects."""

from dataclasses import replace

import numpy as np
from PIL import Image

from heatmark.benchmarks.data.base import Sample, sample_digest

PIXELS = np.random.default_rng(0).integers(256, size=(6, 4, 3), dtype=np.uint8)
SAMPLE = Sample("a", Image.fromarray(PIXELS))


def test_without_a_digest_of_its_own_a_picture_has_that_of_its_pixels_alone() -> None:
    digest = sample_digest(SAMPLE)
    assert len(digest) == 32
    assert int(digest, 16) >= 0
    assert sample_digest(Sample("b", Image.fromarray(PIXELS), label=3, group="p")) == digest


def test_a_pixel_and_a_side_change_the_digest() -> None:
    changed = PIXELS.copy()
    changed[0, 0, 0] ^= 1
    turned = PIXELS.reshape(4, 6, 3)
    digests = {sample_digest(Sample("a", Image.fromarray(pixels))) for pixels in (PIXELS, changed, turned)}
    assert len(digests) == 3


def test_a_digest_that_the_dataset_knows_is_taken() -> None:
    assert sample_digest(replace(SAMPLE, digest="f" * 32)) == "f" * 32


def test_the_mask_of_a_picture_is_the_union_of_its_objects() -> None:
    assert SAMPLE.mask is None
    left, right = np.zeros((2, 6, 4), dtype=bool)
    left[:, 0], right[:, 3] = True, True
    mask = replace(SAMPLE, objects=[("cat", left), (3, right)]).mask
    assert mask is not None
    assert mask[2].tolist() == [True, False, False, True]

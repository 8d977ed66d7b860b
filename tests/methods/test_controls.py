"""Tests of the controls (random map, edge filter, centre prior) and of the seeds per image."""

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from heatmark.common.seeds import image_generator, image_seed
from heatmark.methods.centre_prior import CentrePrior
from heatmark.methods.edge_filter import EdgeFilter
from heatmark.methods.random_map import RandomMap

NO_MODEL, TARGET = nn.Identity(), torch.tensor([0])


def test_the_edge_filter_is_scipys_sobel(batch):
    maps = EdgeFilter()(NO_MODEL, batch[0], TARGET, "input")
    for image, edges in zip(batch[0].numpy(), maps.numpy(), strict=True):
        gray = image.mean(axis=0)
        truth = np.hypot(ndimage.sobel(gray, axis=0, mode="nearest"), ndimage.sobel(gray, axis=1, mode="nearest"))
        np.testing.assert_allclose(edges, truth, rtol=1e-10, atol=1e-12)


def test_an_edge_by_hand():
    """A step of 1 between two columns: 1 + 2 + 1 on both sides of it, 0 elsewhere, at the border too."""
    image = torch.tensor([0.0, 0, 1, 1]).expand(1, 3, 3, 4)
    assert EdgeFilter()(NO_MODEL, image, TARGET, "input").tolist() == [[[0, 4, 4, 0]] * 3]


def test_the_centre_prior_is_a_gaussian_of_the_images_shape(batch):
    maps = CentrePrior(sigma=0.25)(NO_MODEL, batch[0], TARGET, "input")
    assert maps.shape == (3, 12, 16)
    truth = np.exp(-0.5 * (((2.5 - 6) / 3) ** 2 + ((10.5 - 8) / 4) ** 2))
    np.testing.assert_allclose(maps[:, 2, 10].numpy(), truth, rtol=1e-6)
    torch.testing.assert_close(maps, maps.flip(1, 2), rtol=1e-6, atol=0)
    assert int(maps[0].argmax()) in {5 * 16 + 7, 5 * 16 + 8, 6 * 16 + 7, 6 * 16 + 8}


def test_random_maps_belong_to_the_image_and_the_seed(batch):
    images = batch[0]
    torch.manual_seed(0)
    maps = RandomMap(seed=3)(NO_MODEL, images, TARGET, "input")
    torch.manual_seed(1)
    assert torch.equal(maps.flip(0), RandomMap(seed=3)(NO_MODEL, images.flip(0), TARGET, "input"))
    assert torch.equal(maps[1:2], RandomMap(seed=3)(NO_MODEL, images[1:2], TARGET, "input"))
    assert not torch.equal(maps, RandomMap(seed=4)(NO_MODEL, images, TARGET, "input"))
    assert not torch.equal(maps[0], maps[1])
    assert maps.shape == (3, 8, 8)


def test_random_maps_are_uniform():
    noise = RandomMap(cells=200)(NO_MODEL, torch.zeros(1, 3, 4, 4), TARGET, "input").flatten()
    for quantile in (0.1, 0.5, 0.9):
        assert abs(noise.quantile(quantile) - quantile) < 0.01
    assert noise.min() >= 0
    assert noise.max() < 1


def test_a_seed_is_the_images_pixels_not_its_memory():
    image = torch.rand(3, 4, 5)
    other_strides = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert image_seed(image, 0) == image_seed(other_strides, 0) == image_seed(image.double(), 0)
    assert image_seed(image, 0) != image_seed(image, 1) != image_seed(image, -1)
    assert image_seed(image, 0) != image_seed(image.flip(2), 0)
    assert 0 <= image_seed(image, 0) < 2**63
    assert torch.rand(2, generator=image_generator(image, 0)).tolist() != torch.rand(2).tolist()


def test_seeds_are_the_same_on_every_machine():
    assert image_seed(torch.zeros(3, 2, 2), 0) == 8328346640255369450


def test_the_random_control_is_that_of_published_tables():
    assert vars(RandomMap()) == {"cells": 8, "seed": 0}

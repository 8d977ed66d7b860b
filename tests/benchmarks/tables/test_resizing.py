"""Tests of resizing: the values are those of PyTorch."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from heatmark.benchmarks.tables.resizing import area_means, upsampled
from heatmark.common.resize import upsample

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(7, 7), (5, 9), (1, 4), (1, 1), (8, 16)])
@pytest.mark.parametrize("size", [(224, 224), (30, 17), (7, 7), (3, 5), (8, 32)])
def test_maps_are_upsampled_as_for_metrics(shape: tuple[int, int], size: tuple[int, int]) -> None:
    values = RNG.random(shape).astype(np.float32)
    exact = F.interpolate(torch.from_numpy(values)[None, None].double(), size, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(upsampled(values, size), exact[0, 0].numpy(), rtol=0, atol=1e-6)
    as_scored = upsample(torch.from_numpy(values)[None], size)[0].numpy()  # float32 rounds the coordinates too
    np.testing.assert_allclose(upsampled(values, size), as_scored, rtol=0, atol=5e-6)
    assert upsampled(values, size).dtype == np.float32


def test_a_constant_map_stays_constant() -> None:
    np.testing.assert_array_equal(upsampled(np.full((7, 7), 0.1, np.float32), (224, 224)), np.float32(0.1))


@pytest.mark.parametrize("shape", [(224, 224), (56, 14), (33, 100)])
@pytest.mark.parametrize("size", [(32, 32), (20, 12), (8, 14)])
def test_area_means_are_those_of_torch(shape: tuple[int, int], size: tuple[int, int]) -> None:
    maps = RNG.random((3, *shape)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(maps)[:, None], size=size, mode="area")[:, 0].numpy()
    np.testing.assert_allclose(area_means(maps, size), expected, rtol=0, atol=1e-6)


def test_a_value_that_is_not_finite_affects_only_the_means_that_cover_it() -> None:
    maps = np.ones((1, 4, 4), np.float32)
    maps[0, 0, :2], maps[0, 3, 3] = (np.inf, -np.inf), np.nan
    np.testing.assert_array_equal(area_means(maps, (2, 2)), [[[np.nan, 1], [1, np.nan]]])

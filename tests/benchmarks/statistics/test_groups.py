"""Groups: by hand, against plain formulas where every image is a group, and the coverage that naive intervals lack."""

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.statistics.groups import group_codes, group_means, group_sums, mean_and_error, singletons
from heatmark.benchmarks.statistics.intervals import bca, bca_of_groups
from heatmark.benchmarks.statistics.ranks import rank_intervals

NAN = np.nan


def test_codes_are_in_order_and_an_image_without_a_group_is_its_own() -> None:
    groups, images = pd.Series(["b", "", "a", "b", ""]), pd.Series(["1", "2", "3", "4", "5"])
    assert group_codes(groups, images).tolist() == [0, 1, 2, 0, 3]
    # an image that is called like a group is not of it
    assert group_codes(pd.Series(["x", ""]), pd.Series(["1", "x"])).tolist() == [0, 1]


def test_sums_and_means_by_hand() -> None:
    values, groups = np.array([[1.0, 1], [3, NAN], [5, 7], [NAN, 9]]), np.array([0, 0, 1, 1])
    np.testing.assert_array_equal(group_sums(values[:3], groups[:3]), [[4, NAN], [5, 7]])
    np.testing.assert_array_equal(group_means(values, groups), [[2, 1], [5, 8]])
    np.testing.assert_array_equal(group_means(np.array([[NAN], [2.0]]), np.array([0, 1])), [[NAN], [2]])


def test_the_error_of_a_mean_by_hand() -> None:
    # mean 3 of 1 3 | 5; residuals −2 + 0 | 2; 2/1 · (4 + 4) / 9
    assert mean_and_error(np.array([1.0, 3, NAN, 5]), np.array([0, 0, 1, 2])) == (3, pytest.approx(4 / 3), 2)
    values = np.array([0.2, 0.5, 0.1, 0.9])
    expected = values.std(ddof=1) / 2
    assert mean_and_error(values, singletons(4)) == (pytest.approx(values.mean()), pytest.approx(expected), 4)
    assert np.isnan(mean_and_error(values, np.zeros(4, dtype=int))[1])
    assert np.isnan(mean_and_error(np.array([NAN]), singletons(1))[0])


def test_every_image_its_own_group_is_the_plain_bootstrap(rng: np.random.Generator) -> None:
    values = rng.exponential(size=(30, 4))
    values[[2, 7], 1] = values[7, 3] = NAN
    np.testing.assert_allclose(bca_of_groups(values, singletons(30), 5), bca(values, 5), rtol=1e-12)


def test_groups_of_equal_size_are_their_means(rng: np.random.Generator) -> None:
    values, groups = rng.exponential(size=(30, 2)), np.repeat(np.arange(10), 3)
    order = rng.permutation(30)
    means = values.reshape(10, 3, 2).mean(axis=1)
    np.testing.assert_allclose(bca_of_groups(values, groups, 5), bca(means, 5), rtol=1e-9)
    # the order of the images says nothing, only how groups are numbered
    np.testing.assert_allclose(bca_of_groups(values[order], groups[order], 5), bca(means, 5), rtol=1e-9)


def test_large_groups_count_by_their_images() -> None:
    # one group of eight ones, eight of a zero each: drawn twice, the large one makes up 16 of 23 images
    low, high = bca_of_groups(np.repeat([[1.0], [0.0]], 8, axis=0), np.array([0] * 8 + list(range(1, 9))), 0)
    assert low[0] <= 0.5
    assert high[0] > 0.55
    assert np.isnan(bca_of_groups(np.array([[0.0], [1.0]]), np.array([0, 0]), 0)).all()
    assert bca_of_groups(np.empty((0, 2)), singletons(0), 0).shape == (2, 2)


def test_coverage_of_groups_and_what_images_alone_would_say(rng: np.random.Generator) -> None:
    # 40 groups of 5 alike images: the variance between groups is that within
    groups = np.repeat(np.arange(40), 5)
    values = rng.normal(size=(40, 600))[groups] + rng.normal(size=(200, 600))
    covered = [((low <= 0) & (high >= 0)).mean() for low, high in (bca_of_groups(values, groups, 0), bca(values, 0))]
    assert 0.92 <= covered[0] <= 0.97
    assert covered[1] < 0.82


def test_ranks_move_with_groups(rng: np.random.Generator) -> None:
    # b wins by far in one group of eight images, a by little in the eight others of one image each
    scores = np.array([[0.0, 1.0]] * 8 + [[0.3, 0.0]] * 8)
    groups = np.array([0] * 8 + list(range(1, 9)))
    grouped, plain = (rank_intervals(scores, codes, seed=0, confidence=0.5) for codes in (groups, singletons(16)))
    assert grouped[0].tolist() == plain[0].tolist() == [2, 1]
    assert (plain[1, 0], plain[2, 0]) == (2, 2)
    assert (grouped[1, 0], grouped[2, 0]) == (1, 2)

"""Ranks by hand, and the behaviour of their intervals."""

import numpy as np
import pytest

from heatmark.benchmarks.statistics.groups import singletons
from heatmark.benchmarks.statistics.ranks import rank_intervals


def test_ranks_by_hand_on_common_images() -> None:
    nan = np.nan
    # on the first two rows, the only ones that all have, means are 2, 1, 2; the last column hides no image
    scores = np.array([[1.0, 1, 2, nan], [3, 1, 2, nan], [nan, 9, 9, nan]])
    rank, low, high = rank_intervals(scores, singletons(len(scores)), seed=0)
    assert rank.tolist() == pytest.approx([1.5, 3, 1.5, nan], nan_ok=True)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, False, False, True]


def test_a_method_that_always_wins_has_a_sure_rank_and_equal_ones_do_not(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(40, 3)) + np.array([100, 0, 0])
    rank, low, high = rank_intervals(scores, singletons(len(scores)), seed=0)
    assert (rank[0], low[0], high[0]) == (1, 1, 1)
    assert (low[1], high[1]) == (low[2], high[2]) == (2, 3)


def test_whole_groups_are_resampled() -> None:
    # over images a is the first for sure; the group in which b wins is drawn twice with 1/4
    scores, groups = np.repeat([[1.0, 0], [0, 0.2]], 20, axis=0), np.repeat([0, 1], 20)
    assert rank_intervals(scores, singletons(40), seed=0)[:, 0].tolist() == [1, 1, 1]
    assert rank_intervals(scores, groups, seed=0)[:, 0].tolist() == [1, 1, 2]


def test_bounds_are_quantiles_of_resampled_ranks() -> None:
    # b beats a exactly where the third image is not drawn: probability (2/3)³ = 0.296; a first otherwise
    scores = np.array([[0.0, 1], [0, 1], [10, 0]])
    _, low, high = rank_intervals(scores, singletons(len(scores)), seed=0, confidence=0.5)
    assert (low[0], high[0]) == (1, 2)
    _, low, high = rank_intervals(scores, singletons(len(scores)), seed=0, confidence=0.3)
    assert (low[0], high[0]) == (1, 1)


def test_means_that_only_rounding_tells_apart_share_their_rank() -> None:
    scores = np.array([[0.1, 0.3, 0.0], [0.2, 0.0, 0.1], [0.3, 0.3, 0.0]])
    scores[:, 1] = scores[[2, 1, 0], 0]  # the same values in another order: the mean is another in its last digits
    assert scores[:, 0].sum() != scores[:, 1].sum()
    assert rank_intervals(scores, singletons(len(scores)), seed=0)[0].tolist() == [1.5, 1.5, 3]


def test_too_few_images() -> None:
    assert np.isnan(rank_intervals(np.empty((0, 2)), singletons(0), seed=0)).all()
    rank, low, _ = rank_intervals(np.array([[1.0, 2.0]]), singletons(1), seed=0)
    assert rank.tolist() == [2, 1]
    assert np.isnan(low).all()

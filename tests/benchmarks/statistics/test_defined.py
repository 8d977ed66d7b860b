"""Values that are equal but for rounding."""

import numpy as np
import pytest
from scipy import stats

from heatmark.benchmarks.statistics.defined import means, tied, tolerance


def test_only_rounding_is_tied() -> None:
    scores = np.array([[0.3, 0.1, 0.1 + 0.2, 0.3 + 1e-8], [1.0, 1.0 + 4e-16, 1.0 - 4e-16, 2.0]])
    np.testing.assert_array_equal(stats.rankdata(tied(scores), axis=1), [[2.5, 1, 2.5, 4], [2, 2, 2, 4]])
    np.testing.assert_allclose(tied(scores), scores, atol=1e-15)


def test_the_tolerance_is_in_the_scores_unit(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(7, 5))
    np.testing.assert_array_equal(tied(scores), scores)
    for scale in (1e-12, 1e12):
        np.testing.assert_array_equal(tied(scores * scale), scores * scale)
        assert tolerance(scores * scale) == pytest.approx(1e-9 * scale * np.abs(scores).mean())
    assert tolerance(np.array([[np.nan, 2.0]])) == 2e-9
    assert tolerance(np.empty((0, 3))) == 0


def test_means_are_of_what_is_defined() -> None:
    values = np.array([[1.0, np.nan, np.nan], [2.0, 4.0, np.nan], [6.0, 8.0, np.nan]])
    np.testing.assert_array_equal(means(values), [3.0, 6.0, np.nan])

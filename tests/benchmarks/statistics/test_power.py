"""Sample sizes: published values, the least that suffices, and simulated tests."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from heatmark.benchmarks.statistics.power import images_needed, images_to_separate, paired_t_power


def test_textbook_sizes() -> None:
    # G*Power, difference between two dependent means, two-sided, α = 0.05, power 0.8: 199, 34, 15
    assert images_to_separate(np.array([0.2, 0.5, 0.8, -0.5])).tolist() == [199, 34, 15, 34]


@pytest.mark.parametrize(("d_z", "power"), [(0.3, 0.8), (0.6, 0.9), (1.2, 0.8)])
def test_simulated_tests_find_the_effect_as_often_as_said(rng: np.random.Generator, d_z: float, power: float) -> None:
    n = int(images_to_separate(np.array([d_z]), power)[0])
    found = stats.ttest_1samp(rng.normal(d_z, 1, size=(n, 20_000)), 0, axis=0).pvalue < 0.05
    expected = paired_t_power(np.array([d_z]), np.array([n]))[0]
    assert found.mean() == pytest.approx(expected, abs=0.01)  # 3.3 standard errors
    assert expected >= power


@settings(max_examples=60)
@given(st.floats(0.01, 20), st.floats(0.1, 0.99), st.floats(1e-6, 0.09))
def test_it_is_the_least_number_that_suffices(d_z: float, power: float, alpha: float) -> None:
    n = images_to_separate(np.array([d_z]), power, alpha)
    assert paired_t_power(np.array([d_z]), n, alpha)[0] >= power
    assert n[0] == 2 or paired_t_power(np.array([d_z]), n - 1, alpha)[0] < power


def test_no_effect_takes_infinitely_many() -> None:
    assert images_to_separate(np.array([0.0, np.nan])).tolist() == pytest.approx([np.inf, np.nan], nan_ok=True)
    tiny = images_to_separate(np.array([1e-4]))[0]
    assert tiny == pytest.approx(((1.959964 + 0.8416212) / 1e-4) ** 2, rel=1e-5)


def test_a_range_from_the_interval_of_the_effect() -> None:
    pairs = pd.DataFrame(
        {
            "n_groups": [40, 40, 40],
            "n_pairs": [1, 1, 1],
            "d_z": [0.5, 0.2, np.nan],
            "d_z_low": [0.2, -0.5, np.nan],
            "d_z_high": [0.8, 0.8, np.nan],
        }
    )
    table = images_needed(pairs)
    assert table["needed"].tolist() == pytest.approx([34, 199, np.nan], nan_ok=True)
    assert table["needed_low"].tolist() == pytest.approx([15, 15, np.nan], nan_ok=True)
    assert table["needed_high"].tolist() == pytest.approx([199, np.inf, np.nan], nan_ok=True)
    assert table["enough"].tolist() == [True, False, False]


def test_every_pair_is_planned_at_its_comparisons_share_of_alpha() -> None:
    pairs = pd.DataFrame({"n_groups": 40, "n_pairs": [1, 10], "d_z": 0.5, "d_z_low": 0.2, "d_z_high": 0.8})
    table = images_needed(pairs, power=0.9, alpha=0.02)
    assert table["alpha"].tolist() == [0.02, 0.002]
    expected = [images_to_separate(np.array([0.5]), 0.9, alpha)[0] for alpha in (0.02, 0.002)]
    assert table["needed"].tolist() == expected
    assert expected[0] < expected[1]
    low = [images_to_separate(np.array([0.8]), 0.9, alpha)[0] for alpha in (0.02, 0.002)]
    assert table["needed_low"].tolist() == low
    assert table["power"].tolist() == [0.9, 0.9]
    assert set(table["planned_for"]) == {"paired t-test"}


def test_wilcoxons_test_finds_nearly_as_much_with_the_images_of_the_t_test(rng: np.random.Generator) -> None:
    n = int(images_to_separate(np.array([0.4]), 0.8)[0])
    found = stats.wilcoxon(rng.normal(0.4, 1, size=(n, 4000)), axis=0).pvalue < 0.05
    # the power of the t-test with 3/π as many images
    expected = paired_t_power(np.array([0.4]), np.array([n * 3 / np.pi]))[0]
    assert found.mean() == pytest.approx(expected, abs=0.02)

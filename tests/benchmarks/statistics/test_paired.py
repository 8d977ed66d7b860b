"""Tests of differences against SciPy, and Holm's correction by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heatmark.benchmarks.statistics.paired import holm, paired_t, wilcoxon


def test_wilcoxon_is_scipys_on_defined_differences(rng: np.random.Generator) -> None:
    a, b = rng.normal(0.2, 1, size=(2, 25))
    differences = np.stack([a - b, np.where(np.arange(25) < 3, np.nan, a - b)], axis=1)
    expected = [stats.wilcoxon(a, b).pvalue, stats.wilcoxon(a[3:], b[3:]).pvalue]
    assert wilcoxon(differences).tolist() == pytest.approx(expected, rel=1e-12)


def test_wilcoxon_by_hand() -> None:
    # signed ranks 1, 2, 3, −4: of the 16 sign patterns, 7 leave min(R⁺, R⁻) ≤ 4 on each side
    assert wilcoxon(np.array([[0.1], [0.2], [0.3], [-0.4]]))[0] == pytest.approx(14 / 16)


def test_zeros_and_nothing() -> None:
    differences = np.array([[0.0, np.nan, 0.0], [0.0, np.nan, 0.5], [0.0, np.nan, 0.25]])
    assert np.isnan(wilcoxon(differences)).tolist() == [True, True, False]
    assert wilcoxon(differences)[2] == pytest.approx(0.5)


def test_paired_t_is_scipys(rng: np.random.Generator) -> None:
    a, b = rng.normal(0.2, 1, size=(2, 25))
    differences = np.stack([a - b, np.where(np.arange(25) < 3, np.nan, a - b), np.ones(25)], axis=1)
    expected = [stats.ttest_rel(a, b).pvalue, stats.ttest_rel(a[3:], b[3:]).pvalue]
    p_values = paired_t(differences)
    assert p_values[:2].tolist() == pytest.approx(expected, rel=1e-12)
    assert np.isnan(p_values[2])


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04 → ×4 .04, ×3 .06, ×2 .06, ×1 .04 → made monotone: .04 .06 .06 .06
    assert holm(np.array([0.04, 0.01, np.nan, 0.03, 0.02])).tolist() == pytest.approx(
        [0.06, 0.04, np.nan, 0.06, 0.06], nan_ok=True
    )
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_none_and_bonferroni_and_keeps_the_order(p: list[float]) -> None:
    raw, adjusted = np.array(p), holm(np.array(p))
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(raw))).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()

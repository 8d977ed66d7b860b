"""Tests of the metrics of complexity: by hand, closed forms, references in float64, and what is undefined."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from heatmark.metrics.base import Explained
from heatmark.metrics.effective_pixels import EffectivePixels
from heatmark.metrics.entropy import Entropy
from heatmark.metrics.gini_index import GiniIndex
from heatmark.metrics.total_variation import TotalVariation

ALL = [GiniIndex(), Entropy(), EffectivePixels(), EffectivePixels(1e-5), TotalVariation()]
ids = [repr(metric) for metric in ALL]


def explained(maps) -> Explained:
    maps = torch.as_tensor(maps)
    images, targets = torch.zeros(len(maps), 3, *maps.shape[1:]), torch.zeros(len(maps), dtype=torch.int64)
    return Explained(nn.Identity(), images, targets, maps, None, lambda *_: maps)


def drawn(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("metric", "maps", "expected"),
    [
        (GiniIndex(), [[1.0, 2], [3, -4]], (-3 * 1 - 1 * 2 + 1 * 3 + 3 * 4) / (4 * 10)),
        (Entropy(), [[1.0, 1], [0, -2]], 1.5 * log(2)),
        (EffectivePixels(0.5), [[1.0, 1.1], [0, -2]], 2),
        (EffectivePixels(0.0), [[1.0, 1e-9], [0, -2]], 3),
        (TotalVariation(), [[1.0, 2, 4], [0, 0, -8]], ((1 + 2 + 12) + (1 + 2 + 0 + 8)) / (6 * 8)),
        (TotalVariation(), [[1.0, 0, 1, 0]], 3 / 4),
    ],
)
def test_by_hand(metric, maps, expected):
    assert metric(explained([maps])).values.item() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 7), (64, 64)])
def test_closed_forms_of_constant_maps_and_single_pixels(size):
    pixels = size[0] * size[1]
    single = torch.zeros(1, *size)
    single[0, size[0] // 2, size[1] // 2] = -3
    inner = min(size) > 2
    neighbours = 4 if inner else 0
    for maps, gini, entropy, count, variation in (
        (torch.full((1, *size), -0.3), 0, log(pixels), pixels, 0),
        (single, 1 - 1 / pixels, 0, 1, neighbours / pixels),
    ):
        values = [metric(explained(maps)).values.item() for metric in ALL]
        assert values == pytest.approx([gini, entropy, count, count, variation], abs=1e-12)


def test_a_map_of_zeros_has_a_number_of_pixels_and_nothing_else():
    batch = explained(torch.stack([torch.zeros(3, 3), torch.eye(3)]))
    for metric in (GiniIndex(), Entropy(), TotalVariation()):
        scores = metric(batch)
        assert scores.values.isnan().tolist() == [True, False]
        assert scores.reasons == ["all relevance is zero", ""]
    scores = EffectivePixels()(batch)
    assert scores.values.tolist() == [0, 3]
    assert scores.reasons == ["", ""]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
def test_references_in_float64(seed, height, width):
    maps = drawn(1, height, width, seed)
    a = maps[0].double().numpy()
    c, count = np.sort(np.abs(a).ravel()), a.size
    k = np.arange(1, count + 1)
    gini = 1 - 2 * (c / c.sum() * (count - k + 0.5) / count).sum()
    shares = np.abs(a).ravel() / np.abs(a).sum()
    entropy = -sum(p * log(p) for p in shares if p > 0)
    scaled = a / np.abs(a).max()
    variation = (np.abs(np.diff(scaled, axis=0)).sum() + np.abs(np.diff(scaled, axis=1)).sum()) / count
    expected = [gini, entropy, (np.abs(scaled) > 0.1).sum(), (np.abs(scaled) > 1e-5).sum(), variation]
    assert [metric(explained(maps)).values.item() for metric in ALL] == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_quantus_up_to_its_epsilons():
    # The formulas of Quantus 0.6: sparseness.py, complexity.py, effective_complexity.py, of |a| / max |a|.
    maps = drawn(4, 9, 8)
    a = maps.double().abs().flatten(1).numpy()
    a /= a.max(axis=1, keepdims=True)
    ordered, n = np.sort(a + 1e-7, axis=-1), a.shape[1]
    sparseness = ((2 * np.arange(1, n + 1) - n - 1) * ordered).sum(-1) / (n * ordered.sum(-1))
    shares = a / a.sum(-1, keepdims=True)
    complexity = -(shares * np.log(shares + 1e-12)).sum(-1)
    assert GiniIndex()(explained(maps)).values.tolist() == pytest.approx(sparseness, abs=1e-6)
    assert Entropy()(explained(maps)).values.tolist() == pytest.approx(complexity, abs=1e-9)
    assert EffectivePixels(1e-5)(explained(maps)).values.tolist() == (a > 1e-5).sum(-1).tolist()


def test_pnpxais_histogram_gives_a_constant_map_no_entropy():
    counts, _ = np.histogram(np.full((4, 4), 0.5))
    shares = counts[counts > 0] / counts.sum()
    assert -(shares * np.log(shares)).sum() == 0
    assert Entropy()(explained(torch.full((1, 4, 4), 0.5))).values.item() == pytest.approx(log(16))


@pytest.mark.parametrize("metric", ALL, ids=ids)
@pytest.mark.parametrize("size", [(15, 13), (1, 9), (32, 32)])
def test_bits_depend_on_no_neighbour_and_no_order(metric, size):
    maps = drawn(7, *size)
    values = metric(explained(maps)).values
    assert values.dtype == torch.float64
    assert torch.equal(metric(explained(maps.flip(0))).values.flip(0), values)
    assert torch.equal(torch.cat([metric(explained(one[None])).values for one in maps]), values)


@pytest.mark.parametrize("metric", ALL, ids=ids)
@pytest.mark.parametrize("factor", [-1.0, 1024.0])
def test_sign_and_scale_of_the_whole_map_change_nothing(metric, factor):
    maps = drawn(3, 6, 6)
    assert torch.equal(metric(explained(factor * maps)).values, metric(explained(maps)).values)


@pytest.mark.parametrize("metric", ALL, ids=ids)
def test_nan_and_infinity_have_a_reason_and_cost_no_other_image_anything(metric):
    maps = drawn(3, 6, 6)
    broken = maps.clone()
    broken[0, 0, 0], broken[1, 0, 0] = torch.nan, -torch.inf
    scores = metric(explained(broken))
    assert scores.values[:2].isnan().all()
    assert scores.values[2] == metric(explained(maps)).values[2]
    assert scores.reasons == ["the map contains NaN or infinite values"] * 2 + [""]


@pytest.mark.parametrize("metric", ALL, ids=ids)
def test_describes_and_reads_no_masks_and_needs_no_pass(metric):
    batch = explained(drawn(2, 6, 6))
    assert metric.higher_is_better is None
    assert metric.needs == frozenset()
    assert metric.passes((224, 224)) == 0
    with_masks = replace(batch, masks=torch.ones(2, 6, 6).bool(), ignore=torch.ones(2, 6, 6).bool())
    assert torch.equal(metric(with_masks).values, metric(batch).values)


@pytest.mark.parametrize("threshold", [-0.1, 1.0])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match="expected at least 0 and less than 1"):
        EffectivePixels(threshold)

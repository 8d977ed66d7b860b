"""Tests of the metrics of placement: by hand, against references in float64, and what is undefined."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from heatmark.metrics.average_precision import AveragePrecision
from heatmark.metrics.base import Explained
from heatmark.metrics.energy_inside import EnergyInside
from heatmark.metrics.engine.placement import EMPTY, NO_MASK, Placement
from heatmark.metrics.iou import IoU
from heatmark.metrics.pointing_game import PointingGame
from heatmark.metrics.relevance_rank_accuracy import RelevanceRankAccuracy
from heatmark.metrics.top_k_intersection import TopKIntersection

ALL = [
    PointingGame(), PointingGame(15), EnergyInside(), RelevanceRankAccuracy(), TopKIntersection(),
    TopKIntersection(k=9), IoU(), IoU(quantile=0.9), AveragePrecision(),
]  # fmt: skip
ids = [repr(metric) for metric in ALL]


def explained(maps, masks, **more) -> Explained:
    maps, masks = torch.as_tensor(maps), None if masks is None else torch.as_tensor(masks).bool()
    images, targets = torch.zeros(len(maps), 3, *maps.shape[1:]), torch.zeros(len(maps), dtype=torch.int64)
    return Explained(nn.Identity(), images, targets, maps, masks, lambda *_: maps, **more)


def value(metric: Placement, maps: list[float], mask: list[int], ignore: list[int] | None = None) -> float:
    """Return the value of one image of one row."""
    ignored = None if ignore is None else torch.tensor([[ignore]]).bool()
    return metric(explained([[maps]], [[mask]], ignore=ignored)).values.item()


def drawn(count: int, height: int, width: int, levels: int = 0, seed: int = 0) -> Explained:
    """Return maps, of so many different values if asked for, and masks, of one pixel at least."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(count, height, width, generator=generator)
    maps = (maps * levels / 2).round() if levels else maps
    masks = torch.rand(count, height, width, generator=generator) < torch.rand(count, 1, 1, generator=generator)
    masks[:, 0, 0] = True
    return explained(maps, masks)


@pytest.mark.parametrize(
    ("metric", "maps", "mask", "expected"),
    [
        (EnergyInside(), [3.0, 1, -7, 0], [1, 0, 1, 0], 3 / 4),
        (EnergyInside(), [1.0, 1, 1, 1], [1, 0, 0, 0], 1 / 4),
        (EnergyInside(), [0.0, 2, 0, 0], [1, 0, 0, 0], 0),
        (RelevanceRankAccuracy(), [9.0, 8, 7, 1], [1, 0, 1, 0], 1 / 2),
        (RelevanceRankAccuracy(), [9.0, 5, 5, 5], [1, 1, 0, 0], (1 + 1 / 3) / 2),
        (RelevanceRankAccuracy(), [2.0, 2, 2, 2], [1, 1, 1, 0], 3 / 4),
        (TopKIntersection(k=1), [9.0, 8, 7, 1], [0, 1, 1, 1], 0),
        (TopKIntersection(k=3), [9.0, 8, 7, 1], [0, 1, 1, 1], 2 / 3),
        (TopKIntersection(k=2), [9.0, 4, 4, 1], [1, 1, 0, 0], 3 / 4),
        (TopKIntersection(fraction=0.5), [9.0, 8, 7, 1], [0, 1, 1, 1], 1 / 2),
        (TopKIntersection(), [9.0, 8, 7, 1], [1, 0, 0, 0], 1),
        (IoU(), [9.0, 8, 7, 1], [1, 0, 1, 0], 1 / 3),
        (IoU(), [9.0, 5, 5, 1], [1, 1, 0, 0], 2 / 3),
        (IoU(), [5.0, 5, 5, 5], [1, 0, 0, 0], 1 / 4),
        (IoU(quantile=0), [9.0, 8, 7, 1], [1, 0, 1, 0], 1 / 2),
        (IoU(quantile=0.75), [9.0, 8, 7, 1], [1, 0, 1, 0], 1 / 2),
        (IoU(quantile=0.99), [9.0, 8, 7, 1], [0, 0, 1, 0], 0),
        (AveragePrecision(), [9.0, 8, 7, 1], [1, 0, 1, 0], (1 + 2 / 3) / 2),
        (AveragePrecision(), [9.0, 5, 5, 1], [1, 1, 0, 1], (1 + 2 / 3 + 3 / 4) / 3),
        (AveragePrecision(), [-0.0, 0.0, 0.0, -0.0], [1, 0, 0, 0], 1 / 4),
    ],
)  # fmt: skip
def test_by_hand(metric, maps, mask, expected):
    assert value(metric, maps, mask) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("metric", ALL, ids=ids)
def test_the_mask_itself_scores_one_and_its_inverse_the_least(metric):
    masks = torch.zeros(1, 8, 8).bool()
    masks[0, 2:5, 3:6] = True
    assert metric(explained(masks.double(), masks)).values.item() == pytest.approx(1)
    inverse = metric(explained((~masks).double(), masks)).values.item()
    least = {PointingGame(15): 1.0, AveragePrecision(): 9 / 64}  # every pixel is near, and all are found in the end
    assert inverse == pytest.approx(least.get(metric, 0.0))


@pytest.mark.parametrize("metric", ALL, ids=ids)
def test_ignored_pixels_count_neither_inside_nor_outside(metric):
    batch = drawn(6, 7, 5, seed=3)
    wide = replace(
        batch,
        images=torch.zeros(6, 3, 7, 8),
        maps=torch.cat([batch.maps, torch.full((6, 7, 3), 99.0)], 2),
        masks=torch.cat([batch.masks, torch.ones(6, 7, 3).bool()], 2),
        ignore=torch.cat([torch.zeros(6, 7, 5), torch.ones(6, 7, 3)], 2).bool(),
    )
    assert torch.allclose(metric(wide).values, metric(batch).values, rtol=1e-13)
    counted = metric(replace(wide, ignore=None)).values
    assert metric == PointingGame(15) or not torch.allclose(counted, metric(batch).values, rtol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 3]))
def test_references_in_float64(seed, levels):
    batch = drawn(3, 6, 7, levels, seed)
    for n in range(3):
        a, inside = batch.maps[n].double().numpy().ravel(), batch.masks[n].numpy().ravel()
        one = replace(batch, maps=batch.maps[n : n + 1], masks=batch.masks[n : n + 1])
        positive = np.maximum(a, 0)
        assert EnergyInside()(one).values.item() == pytest.approx(positive[inside].sum() / positive.sum(), rel=1e-12)
        assert AveragePrecision()(one).values.item() == pytest.approx(average_precision(a, inside), rel=1e-12)
        selected = a >= np.sort(a)[-inside.sum()]
        union = (selected & inside).sum() / (selected | inside).sum()
        assert IoU()(one).values.item() == pytest.approx(union, rel=1e-12)


def average_precision(relevance: np.ndarray, inside: np.ndarray) -> float:
    """Return Σ (R_t − R_{t−1}) P_t over the values t of a map, from the largest down."""
    recall, found = 0.0, 0.0
    for threshold in np.unique(relevance)[::-1]:
        selected = relevance >= threshold
        reached = (selected & inside).sum() / inside.sum()
        found += (reached - recall) * (selected & inside).sum() / selected.sum()
        recall = reached
    return found


@pytest.mark.parametrize("levels", [0, 3])
def test_scikit_learns_average_precision(levels):
    metrics = pytest.importorskip("sklearn.metrics")
    batch = drawn(20, 15, 15, levels)
    expected = [
        metrics.average_precision_score(mask.flatten().numpy(), relevance.flatten().numpy())
        for mask, relevance in zip(batch.masks, batch.maps, strict=True)
    ]
    assert AveragePrecision()(batch).values.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_quantus_without_ties_and_negative_values(seed):
    # The formulas of Quantus 0.6: relevance_rank_accuracy.py, relevance_mass_accuracy.py, top_k_intersection.py.
    batch = drawn(4, 9, 8, seed=seed)
    batch = replace(batch, maps=batch.maps.abs())
    a, s = batch.maps.double().flatten(1).numpy(), batch.masks.flatten(1).numpy()
    ordered = np.take_along_axis(s, np.argsort(-a, axis=-1), axis=-1)
    rank = [row[:size].sum() / size for row, size in zip(ordered, s.sum(-1), strict=True)]
    assert RelevanceRankAccuracy()(batch).values.tolist() == pytest.approx(rank, rel=1e-12)
    assert EnergyInside()(batch).values.tolist() == pytest.approx((a * s).sum(-1) / a.sum(-1), rel=1e-12)
    assert TopKIntersection(k=10)(batch).values.tolist() == pytest.approx(ordered[:, :10].mean(-1), rel=1e-12)


def test_iou_without_ties_is_a_function_of_rank_accuracy():
    batch = drawn(10, 9, 8)
    r = RelevanceRankAccuracy()(batch).values
    assert IoU()(batch).values.tolist() == pytest.approx((r / (2 - r)).tolist(), rel=1e-12)


@pytest.mark.parametrize("metric", ALL, ids=ids)
@pytest.mark.parametrize("levels", [0, 3])
def test_bits_depend_on_no_neighbour_and_no_order(metric, levels):
    batch = drawn(7, 15, 13, levels)
    values = metric(batch).values
    assert values.dtype == torch.float64
    assert values.isfinite().all()
    back = metric(replace(batch, maps=batch.maps.flip(0), masks=batch.masks.flip(0))).values
    assert torch.equal(back.flip(0), values)
    for n in range(7):
        alone = metric(replace(batch, maps=batch.maps[n : n + 1], masks=batch.masks[n : n + 1])).values
        assert torch.equal(alone, values[n : n + 1])


@pytest.mark.parametrize("metric", ALL, ids=ids)
def test_what_is_undefined_has_its_reason_and_costs_no_other_image_anything(metric):
    batch = drawn(5, 8, 8)
    values = metric(batch).values
    maps, masks, has = batch.maps.clone(), batch.masks.clone(), torch.ones(5).bool()
    has[0], masks[1], maps[2, 0, 0], maps[3, 1, 1] = False, False, torch.nan, torch.inf
    scores = metric(replace(batch, maps=maps, masks=masks, has_mask=has))
    assert scores.values[:4].isnan().all()
    assert scores.values[4] == values[4]
    not_finite = "the map contains NaN or infinite values"
    assert scores.reasons == [NO_MASK, EMPTY, not_finite, not_finite, ""]
    everything = metric(replace(batch, ignore=batch.masks))
    assert everything.values.isnan().all()
    assert everything.reasons == [EMPTY] * 5
    nothing = metric(replace(batch, masks=None))
    assert nothing.values.isnan().all()
    assert nothing.reasons == [NO_MASK] * 5
    nothing = metric(replace(batch, masks=None, has_mask=torch.zeros(5).bool()))
    assert nothing.reasons == [NO_MASK] * 5


def test_no_positive_relevance_has_no_energy():
    scores = EnergyInside()(explained([[[-1.0, 0]], [[-1.0, 1]]], [[[1, 0]], [[1, 0]]]))
    assert scores.values[0].isnan()
    assert scores.values[1] == 0
    assert scores.reasons == ["the map has no positive relevance", ""]


def test_fewer_pixels_than_k_have_no_intersection():
    batch = explained([[[3.0, 2, 1]]] * 2, [[[1, 0, 0]]] * 2, ignore=torch.tensor([[[0, 0, 0]], [[0, 0, 1]]]).bool())
    scores = TopKIntersection(k=3)(batch)
    assert scores.values[0] == pytest.approx(1 / 3)
    assert scores.values[1].isnan()
    assert scores.reasons == ["", "fewer than k pixels count"]
    with pytest.raises(ValueError, match="k=4, expected 1 to 3"):
        TopKIntersection(k=4)(batch)


@pytest.mark.parametrize("metric", ALL, ids=ids)
def test_declares_that_it_needs_masks_and_no_pass(metric):
    assert metric.needs == {"masks"}
    assert metric.higher_is_better is True
    assert metric.passes((224, 224)) == 0


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        (TopKIntersection, {"k": 0}), (TopKIntersection, {"k": 1.5}), (TopKIntersection, {"fraction": 0}),
        (TopKIntersection, {"fraction": 1.1}), (IoU, {"quantile": 1}), (IoU, {"quantile": -0.1}),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(metric, options):
    with pytest.raises(ValueError, match=rf"{next(iter(options))}=.*, expected"):
        metric(**options)


def test_masks_that_are_none_are_refused():
    batch = drawn(2, 4, 4)
    with pytest.raises(ValueError, match=r"masks \(2, 4, 4\) of torch.uint8, expected booleans"):
        EnergyInside()(replace(batch, masks=batch.masks.byte()))
    with pytest.raises(ValueError, match=r"ignore \(2, 3, 4\) of torch.bool, expected booleans of the maps' shape"):
        EnergyInside()(replace(batch, ignore=batch.masks[:, :3]))

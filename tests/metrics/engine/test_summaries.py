"""Tests of the sums over a curve."""

import pytest
import torch

from heatmark.metrics.base import Curve
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.summaries import area, mean_of_points

CURVE = Curve(
    torch.tensor([0.0, 0.25, 1.0]), torch.tensor([[1.0, 0.5, 0.0], [0.0, torch.nan, 1.0]]), "fraction removed"
)


def test_area_is_the_trapezoid_over_true_fractions():
    values = area(CURVE)
    assert values[0] == pytest.approx(0.25 * 0.75 + 0.75 * 0.25)
    assert values[1].isnan()


def test_mean_is_that_of_the_points_wherever_they_lie():
    values = mean_of_points(CURVE)
    assert values[0] == 0.5
    assert values[1].isnan()


def test_each_image_may_have_fractions_of_its_own():
    own = Curve(torch.stack([CURVE.x, torch.tensor([0.0, 0.75, 1.0])]), CURVE.y[:1].expand(2, 3), CURVE.axis)
    assert area(own).tolist() == pytest.approx([0.375, 0.625])


def test_the_rule_sums_up_one_and_the_same_path():
    assert Deletion(rule="mean").path == Deletion().path
    assert Deletion(rule="mean").summarise(CURVE).values[0] == 0.5
    assert Deletion().summarise(CURVE).values[0] == pytest.approx(0.375)
    assert Deletion().rule == "trapezoid"


def test_reasons_tell_a_map_without_order_from_a_models_nan():
    y = torch.tensor([[1.0, 0.5, 0.0], [0.0, torch.nan, 1.0], [torch.nan] * 3])
    scores = Deletion().summarise(Curve(CURVE.x, y, CURVE.axis))
    assert scores.values.isnan().tolist() == [False, True, True]
    assert scores.reasons == [
        "", "the model's score is NaN at a point of the curve", "the map contains NaN, which has no order"
    ]  # fmt: skip

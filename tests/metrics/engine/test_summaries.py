"""Tests of the sums over a curve."""

import pytest
import torch

from heatmark.metrics.base import Curve, CurveMetric
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.summaries import INFINITE_POINT, area, mean_of_points
from heatmark.metrics.irof import IROF, TOO_SMALL
from heatmark.metrics.region_perturbation import ONE_PATCH, RegionPerturbation
from heatmark.metrics.sufficiency import Sufficiency

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


@pytest.mark.parametrize("value", [torch.inf, -torch.inf])
@pytest.mark.parametrize(
    "metric", [Deletion(score="logit"), Sufficiency(score="logit")], ids=["deletion", "sufficiency"]
)
def test_an_infinite_score_has_no_sum(metric: CurveMetric, value: float) -> None:
    y = torch.tensor([[0.5, 0.5, 1.0, 0.25], [0.5, value, 1.0, value]])
    scores = metric.summarise(Curve(torch.tensor([0.0, 0.25, 0.5, 1.0]), y, "fraction removed"))
    assert scores.values.isnan().tolist() == [False, True]
    assert list(scores.reasons) == ["", INFINITE_POINT]


def test_no_ratio_overflows() -> None:
    y = torch.tensor([[1e-40, 0.5, 0.5], [0.5, 0.25, 0.0]])
    scores = IROF().summarise(Curve(torch.tensor([0.0, 0.5, 1.0]), y, "fraction removed"))
    first = y[0, 0].double().item()  # float32 has few digits below 1e-38
    assert scores.values.tolist() == pytest.approx([1 - 0.25 - 0.375 / first, 0.5])
    assert list(scores.reasons) == ["", ""]
    tiny = torch.tensor([[5e-324, 0.5, 0.5]], dtype=torch.float64)
    scores = IROF().summarise(Curve(torch.tensor([0.0, 0.5, 1.0]), tiny, "fraction removed"))
    assert scores.values.isnan().all()
    assert list(scores.reasons) == [TOO_SMALL]


def test_steps_between_patches_need_two() -> None:
    curve = Curve(torch.tensor([0.0, 1.0]), torch.tensor([[0.9, 0.1]]), "fraction removed")
    scores = RegionPerturbation(regions=5, rule="unit_steps").summarise(curve)
    assert scores.values.isnan().all()
    assert list(scores.reasons) == [ONE_PATCH]
    assert RegionPerturbation(regions=5).summarise(curve).values.item() == pytest.approx(0.4)

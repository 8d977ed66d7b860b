"""Comparison stage by stage: the first difference, its size, and NaN."""

import math

import pytest
import torch

from heatmark.benchmarks.conformance.compare import compare, difference, pearson, tolerances
from heatmark.methods.engine.stages import STAGES, Stages

TOLERANCE = dict.fromkeys(STAGES, 1e-5)


def a_map(*values):
    return torch.tensor(values).view(1, 1, -1)


def test_the_first_stage_that_differs_is_named_with_the_size_of_the_difference():
    ours = Stages(raw=a_map(-1.0, 2.0, 4.0), relu=a_map(0.0, 2.0, 4.0), resized=a_map(0.0, 2.0, 4.0))
    theirs = Stages(raw=a_map(-1.0, 2.0, 4.0), relu=a_map(0.0, 1.0, 4.0), resized=a_map(0.0, 9.0, 4.0))
    found = compare(ours, theirs, TOLERANCE)
    assert (found.stage, found.agrees, found.max_abs, found.relative) == ("relu", False, 1.0, 0.25)
    # r of (0, 2, 4) and (0, 1, 4): covariance 8/3, variances 8/3 and 26/9
    assert found.pearson == pytest.approx((8 / 3) / math.sqrt(8 / 3 * 26 / 9))


def test_where_all_agree_the_last_stage_that_both_have_is_named():
    ours = Stages(activations=torch.ones(1, 2, 2, 2), weights=torch.ones(1, 2), relu=a_map(1.0, 2.0))
    found = compare(ours, ours.without("weights"), TOLERANCE)
    assert (found.stage, found.agrees, found.max_abs, found.relative) == ("relu", True, 0.0, 0.0)
    assert compare(ours, Stages(), TOLERANCE).stage == ""


def test_every_image_is_measured_by_its_own_size():
    b = torch.tensor([[[1000.0, 2000.0]], [[1.0, 2.0]]])
    a = b.clone()
    a[1, 0, 0] += 0.5
    found = difference("raw", a, b, 1e-2)
    assert not found.agrees
    assert found.relative == 0.25  # of the second image, not 0.5 / 2000


@pytest.mark.parametrize(
    ("a", "b", "agrees"),
    [
        (a_map(math.nan, 1.0), a_map(math.nan, 1.0), True),
        (a_map(math.nan, 1.0), a_map(0.0, 1.0), False),
        (a_map(math.inf, 1.0), a_map(math.inf, 1.0), True),
        (a_map(0.0, 0.0), a_map(0.0, 0.0), True),
        (a_map(1e-30, 0.0), a_map(0.0, 0.0), False),
        (a_map(1.0, 2.0), a_map(1.0, 2.0, 3.0), False),
    ],
)
def test_what_cannot_be_measured_differs_unless_it_is_the_same(a, b, agrees):
    assert difference("raw", a, b, 1e-5).agrees is agrees


def test_pearson_is_that_of_the_worst_image_that_varies():
    a = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
    b = torch.tensor([[2.0, 4.0, 6.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert pearson(a, b) == pytest.approx(-1)
    assert math.isnan(pearson(a[2:], b[2:]))


def test_tolerances_are_a_hundred_roundings_and_shown_stages_single_precision():
    assert set(tolerances(torch.float32).values()) == {100 * 2.0**-23}
    double = tolerances(torch.float64)
    assert double["raw"] == 100 * 2.0**-52
    assert double["resized"] == double["normalised"] == 100 * 2.0**-23

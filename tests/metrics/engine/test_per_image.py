"""Tests of sums and scores per image."""

import math

import pytest
import torch

from heatmark.metrics.engine.per_image import judged, not_finite, reasons_of, sums


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 225, 1000])
def test_sums_are_sums_and_their_bits_depend_on_no_neighbour(count):
    values = torch.randn(5, count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert sums(values).tolist() == pytest.approx([math.fsum(row) for row in values.tolist()], abs=1e-13)
    assert torch.equal(sums(values), torch.cat([sums(row[None]) for row in values]))
    assert torch.equal(sums(values.flip(0)), sums(values).flip(0))


def test_sums_add_halves():
    # 1e16 + 1 rounds to 1e16: the halves are (1e16 − 1e16) and (1 + 1).
    assert sums(torch.tensor([[1e16, 1, -1e16, 1]], dtype=torch.float64)).tolist() == [2]


def test_only_images_without_a_reason_are_judged():
    asked = []

    def judge(where):
        asked.append(where)
        return torch.tensor([0.5, math.nan], dtype=torch.float64)

    scores = judged(torch.zeros(3, 2, 2), ["", "no mask", ""], judge, "nothing to say")
    assert asked == [[0, 2]]
    assert scores.values[0] == 0.5
    assert scores.values.isnan().tolist() == [False, True, True]
    assert scores.reasons == ["", "no mask", "nothing to say"]


def test_where_no_image_can_be_judged_nothing_is_asked():
    scores = judged(torch.zeros(2, 1, 1), ["a", "b"], lambda _: pytest.fail("asked"), "")
    assert scores.values.isnan().all()
    assert scores.reasons == ["a", "b"]


def test_the_first_reason_that_holds():
    faults = [(torch.tensor([False, True, False]), "a"), (torch.tensor([False, True, True]), "b")]
    assert reasons_of(faults) == ["", "a", "b"]


def test_nan_and_both_infinities_are_not_finite():
    maps = torch.zeros(4, 1, 2)
    maps[1:, 0, 1] = torch.tensor([math.nan, math.inf, -math.inf])
    assert not_finite(maps).tolist() == [False, True, True, True]

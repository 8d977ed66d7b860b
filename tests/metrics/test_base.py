"""Tests of the ids of a metric's definition and of a request for it."""

from dataclasses import dataclass

import pytest

from heatmark.common.identity import definition, request
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion


def test_definition_is_the_preset_and_what_departs_from_it():
    assert definition("deletion", Deletion()) == "deletion:heatmark-1"
    assert definition("insertion", Insertion(baseline="blur")) == "insertion:heatmark-1"
    assert definition("deletion", Deletion(preset="rise-2018")) == "deletion:rise-2018"
    assert definition("deletion", Deletion(steps=28)) == "deletion:heatmark-1[steps=28]"
    mean = Deletion(steps=28, baseline="mean", preset="rise-2018")
    assert definition("deletion", mean) == "deletion:rise-2018[baseline=mean,steps=28]"
    assert definition("insertion", Insertion(baseline="zero")) == "insertion:heatmark-1[baseline=zero]"
    assert definition("deletion", Deletion(ties="reversed")) == "deletion:heatmark-1[ties=reversed]"
    assert definition("deletion", Deletion(seed=3)) == "deletion:heatmark-1[seed=3]"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Deletion(ties="raster"), Deletion(preset="rise-2018")),
        (Deletion(preset="rise-2018", ties="drawn"), Deletion()),
        (Deletion(preset="rise-2018", ties="reversed"), Deletion(ties="reversed")),
        (Deletion(preset="rise-2018", seed=3), Deletion(preset="rise-2018")),  # nothing is drawn
    ],
)
def test_equal_values_are_equal_whatever_the_preset_they_were_built_from(one, other):
    assert one == other
    assert definition("deletion", one) == definition("deletion", other)


def test_what_is_asked_for_beside_the_value_is_in_the_request_alone():
    bounded = Deletion(steps=28, tie_orders=8)
    assert definition("deletion", bounded) == "deletion:heatmark-1[steps=28]"
    assert request("deletion", bounded) == "deletion:heatmark-1[steps=28] with tie_orders=8"
    assert request("deletion", Deletion(steps=28)) == "deletion:heatmark-1[steps=28]"


def test_definition_without_preset_names_every_field_that_has_no_default():
    @dataclass(frozen=True)
    class Threshold:
        quantile: float
        seed: int = 0

    assert definition("pointing", Threshold(0.9)) == "pointing[quantile=0.9]"
    assert definition("pointing", Threshold(0.9, seed=2)) == "pointing[quantile=0.9,seed=2]"


def test_definition_refuses_what_has_no_fields():
    with pytest.raises(ValueError, match="'x' is a str, expected a frozen dataclass"):
        definition("x", "text")


def test_a_wrong_name_gets_the_nearest_or_all() -> None:
    with pytest.raises(ValueError, match=r"unknown preset 'rise2018': did you mean rise-2018\?"):
        Deletion(preset="rise2018")
    with pytest.raises(
        ValueError, match=r"unknown preset 'xyz': expected one of heatmark-1, rise-2018, rise-notebook, "
    ):
        Deletion(preset="xyz")

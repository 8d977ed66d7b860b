from dataclasses import dataclass

import pytest

from metrics.base import definition
from metrics.deletion import Deletion
from metrics.insertion import Insertion


def test_definition_is_the_preset_and_what_departs_from_it():
    assert definition("deletion", Deletion()) == "deletion:rise-2018"
    assert definition("insertion", Insertion(baseline="blur")) == "insertion:rise-2018"
    assert definition("deletion", Deletion(steps=28)) == "deletion:rise-2018[steps=28]"
    assert definition("deletion", Deletion(steps=28, baseline="mean")) == "deletion:rise-2018[baseline=mean,steps=28]"
    assert definition("insertion", Insertion(baseline="zero")) == "insertion:rise-2018[baseline=zero]"


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

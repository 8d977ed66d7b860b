"""Tests of protocols: values of options, and no more."""

from dataclasses import fields

from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.protocols import PROTOCOLS


def test_values_are_the_published_ones() -> None:
    values = {name: dict(protocol.values) for name, protocol in PROTOCOLS.items()}
    assert values == {
        "heatmark-1": {"steps": None, "rule": "trapezoid", "ties": "drawn"},
        "rise-2018": {"steps": None, "rule": "trapezoid", "ties": "raster"},
    }
    assert PROTOCOLS["rise-2018"].source == "github.com/eclique/RISE, evaluation.py, d91ea00"
    assert all("BMVC 2018" in protocol.citation for protocol in PROTOCOLS.values())


def test_values_are_of_options_that_exist() -> None:
    options = {field.name for field in fields(PixelFlipping)}
    assert all(set(protocol.values) <= options for protocol in PROTOCOLS.values())


def test_a_preset_gives_the_options_that_are_none() -> None:
    for name, protocol in PROTOCOLS.items():
        for metric in (Deletion, Insertion):
            assert metric(preset=name) == metric(**protocol.values)
            assert {option: getattr(metric(preset=name), option) for option in protocol.values} == protocol.values


def test_an_option_of_its_own_keeps_the_nearest_preset() -> None:
    assert Deletion(rule="mean").preset == "heatmark-1"
    assert Deletion(rule="mean", ties="raster").preset == "rise-2018"

"""Mosaics and disconnected networks as the command line and Python name them."""

import pytest

from heatmark.benchmarks.config import named
from heatmark.benchmarks.config.building import build, build_classifier
from heatmark.benchmarks.config.compose import compose_command


def test_a_mosaic_is_of_any_dataset_and_judged_by_the_model_that_is_explained() -> None:
    config = compose_command(
        "sweep",
        [
            *("model=shapes_plain", "dataset=mosaic", "dataset@dataset.pictures=shapes_shortcut"),
            *("dataset.pictures.limit=12", "dataset.pictures.pairing=agree", "dataset.confidence=0.5"),
        ],
    )
    assert config.dataset.model.name == "shapes_plain"
    dataset = build(config.dataset, "dataset")
    assert dataset.name == "shapes_shortcut_mosaic_2x2"
    assert len(dataset) == 100
    assert 4 <= len(dataset.chosen) <= 12


def test_python_has_no_default_model_to_judge_by() -> None:
    assert len(named.dataset("mosaic(limit=3,side=3)")) == 27
    with pytest.raises(ValueError, match="needs a model"):
        named.dataset("mosaic(confidence=0.99)")


def test_a_disconnected_network_is_named_after_the_one_on_each_cell() -> None:
    config = compose_command("sweep", ["model=disconnected", "model@model.classifier=shapes_plain", "model.side=3"])
    classifier = build_classifier(config.model)
    assert classifier.name == "shapes_plain_disconnected"
    assert classifier.layers["last"] == "network.features.15.whole"
    assert classifier.classes[:2] == ["circle in cell 0", "circle in cell 1"]
    assert len(classifier.classes) == 90

"""MoRF, LeRF and their difference: the paths that they share with deletion and insertion, and what they give."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.lerf import LeRF
from heatmark.metrics.morf import MoRF
from heatmark.metrics.srg import SRG


@pytest.fixture(scope="module")
def batch() -> Explained:
    generator = torch.Generator().manual_seed(1)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    images = torch.rand(3, 3, 8, 8, generator=generator) * 6
    maps = images[:, 0] - images[:, 1]
    return Explained(model, images, torch.zeros(3, dtype=torch.int64), maps, None, lambda *_: maps)


def test_paths_are_those_of_deletion_and_insertion_with_the_same_fill() -> None:
    assert MoRF().path == Deletion(baseline="mean").path
    assert LeRF().path == Insertion(baseline="mean").path
    assert MoRF().path != Deletion().path


def test_values_are_those_of_deletion_and_insertion(batch: Explained) -> None:
    assert torch.equal(MoRF(steps=8)(batch).values, Deletion(steps=8, baseline="mean")(batch).values)
    assert torch.equal(LeRF(steps=8)(batch).values, Insertion(steps=8, baseline="mean")(batch).values)


def test_the_gain_of_a_map_is_minus_that_of_its_negative(batch: Explained) -> None:
    def gain(maps: torch.Tensor) -> torch.Tensor:
        part = replace(batch, maps=maps)
        return LeRF(steps=8, ties="raster")(part).values - MoRF(steps=8, ties="raster")(part).values

    assert (gain(batch.maps) > 0.01).all()
    assert gain(-batch.maps).numpy() == pytest.approx(-gain(batch.maps).numpy(), abs=1e-6)


def test_it_is_the_difference_of_the_two() -> None:
    assert SRG().terms == {"lerf": 1.0, "morf": -1.0}
    assert SRG().higher_is_better is True

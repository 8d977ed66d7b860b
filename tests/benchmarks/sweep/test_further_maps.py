"""Further maps of a cell: each asked for once, by model, image, class and batch size."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.sweep import maps as module
from heatmark.benchmarks.sweep.maps import CellMethod, FurtherMaps
from heatmark.methods.base import Method


@dataclass(frozen=True)
class Weighted(Method):
    """A method whose map is a channel times a weight of the model; it keeps the sizes of its batches."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    calls: list[int] = field(default_factory=list)

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        self.calls.append(len(images))
        weight = next(model.parameters()).flatten()[0].detach()
        return weight * images[torch.arange(len(images)), targets]


def model(weight: float) -> nn.Module:
    linear = nn.Linear(1, 1)
    nn.init.constant_(linear.weight, weight)
    return linear


@pytest.fixture
def cell() -> CellMethod:
    return CellMethod(Weighted(), "input", (4, 4), model(2.0), FurtherMaps())


IMAGES = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2])


def calls(cell: CellMethod) -> list[int]:
    assert isinstance(cell.method, Weighted)
    return cell.method.calls


def expected(weight: float, images: Tensor, targets: Tensor) -> Tensor:
    return torch.stack([weight * image[target] for image, target in zip(images, targets, strict=True)])


def test_maps_are_computed_once_and_stay_the_same(cell: CellMethod) -> None:
    for order in ([0, 1, 2], [0, 1, 2], [2, 0, 1]):
        assert torch.equal(
            cell(cell.model, IMAGES[order], TARGETS[order]), expected(2.0, IMAGES[order], TARGETS[order])
        )
    assert calls(cell) == [3]


def test_other_classes_images_and_batch_sizes_are_computed_anew(cell: CellMethod) -> None:
    for images, targets in (
        (IMAGES, TARGETS),
        (IMAGES, TARGETS.flip(0)),
        (IMAGES + 1, TARGETS),
        (IMAGES[:2], TARGETS[:2]),
    ):
        assert torch.equal(cell(cell.model, images, targets), expected(2.0, images, targets))
    assert calls(cell) == [3, 3, 3, 2]


def test_another_model_never_gets_this_ones_maps(cell: CellMethod) -> None:
    cell(cell.model, IMAGES, TARGETS)
    for weight in (5.0, 7.0):
        assert torch.equal(cell(model(weight), IMAGES, TARGETS), expected(weight, IMAGES, TARGETS))
    assert torch.equal(cell(cell.model, IMAGES, TARGETS), expected(2.0, IMAGES, TARGETS))
    assert calls(cell) == [3, 3, 3]


def test_cells_share_nothing(cell: CellMethod) -> None:
    other = replace(cell, method=Weighted(), further=FurtherMaps())
    cell(cell.model, IMAGES, TARGETS)
    other(other.model, IMAGES, TARGETS)
    assert calls(cell) == calls(other) == [3]


def test_beyond_the_limit_they_are_forgotten(cell: CellMethod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_BYTES", 3 * 16 * 4)
    for images in (IMAGES, IMAGES, IMAGES + 1, IMAGES):
        assert torch.equal(cell(cell.model, images, TARGETS), expected(2.0, images, TARGETS))
    assert calls(cell) == [3, 3, 3]

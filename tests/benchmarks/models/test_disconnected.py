"""Disconnected networks: each logit sees one cell, layers cover the mosaic, and the classifier is left alone."""

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.data.mosaic import Mosaic
from heatmark.benchmarks.data.shapes import Shapes
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.disconnected import cut, disconnected, join
from heatmark.benchmarks.models.nets.plain import Plain
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.sources import embedded_model, torchvision_model
from heatmark.benchmarks.sweep.blocks import class_of
from heatmark.methods.engine.capture import activations_at, capture

WHOLE = Preprocessing(None, None, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
NAMES = ["circle", "square", "triangle", "star", "cross", "ring", "crescent", "heart", "arrow", "hourglass"]


def plain() -> Classifier:
    layers = {"early": "features.2", "last": "features.15", "nested": "features"}
    return embedded_model("shapes_plain", Plain, "shapes", layers=layers, preprocessing=WHOLE, classes=NAMES)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("side", [1, 2, 3])
def test_cutting_and_joining_are_inverse_and_row_by_row(side: int) -> None:
    images = torch.arange(2 * 3 * 12 * 6.0).view(2, 3, 12, 6)
    cells = cut(images, side)
    assert cells.shape == (2 * side**2, 3, 12 // side, 6 // side)
    assert torch.equal(join(cells, side), images)
    assert torch.equal(cells[side - 1], images[0, :, : 12 // side, -6 // side :])


def test_logits_are_those_of_each_cell(images: Tensor) -> None:
    alone, whole = plain(), disconnected(plain())
    got = whole.module(images)
    for cell, (row, column) in enumerate(((0, 0), (0, 32), (48, 0), (48, 32))):
        expected = alone.module(images[:, :, row : row + 48, column : column + 32])
        assert torch.allclose(got[:, cell::4], expected, atol=1e-5)
        assert whole.class_index(f"heart in cell {cell}") == 7 * 4 + cell


def test_no_pixel_outside_the_cell_has_a_gradient(images: Tensor) -> None:
    whole = disconnected(plain())
    leaves = images.clone().requires_grad_()
    whole.module(leaves)[:, 7 * 4 + 2].sum().backward()
    gradient = leaves.grad.abs().sum(dim=1)
    assert gradient[:, 48:, :32].sum() > 0
    gradient[:, 48:, :32] = 0
    assert gradient.max() == 0


@pytest.mark.parametrize("role", ["early", "last", "nested"])
def test_layers_cover_the_mosaic(images: Tensor, role: str) -> None:
    alone, whole = plain(), disconnected(plain())
    assert whole.layers[role].endswith(".whole")
    features = activations_at(whole.module, images, whole.layers[role])
    for cell, (row, column) in enumerate(((0, 0), (0, 32), (48, 0), (48, 32))):
        part = images[:, :, row : row + 48, column : column + 32]
        expected = activations_at(alone.module, part, alone.layers[role])
        assert torch.allclose(cut(features, 2)[cell::4], expected, atol=1e-5)
    found = capture(whole.module, images, torch.tensor([28, 31]), whole.layers[role])
    assert cut(found.gradients, 2).abs().sum(dim=(1, 2, 3)).gt(0).tolist() == [True] + [False] * 6 + [True]


def test_torchvisions_networks_are_disconnected(images: Tensor) -> None:
    classifier = torchvision_model(
        "resnet18", None, layers={"last": "layer4", "auto": "auto"}, preprocessing={"resize": None, "crop": None}
    )
    whole = disconnected(classifier)
    assert whole.layers["last"] == "network.layer4.whole"
    small = images[:, :, :64]
    assert whole.module(small).shape == (2, 4000)
    assert activations_at(whole.module, small, "network.layer4.whole").shape == (2, 512, 2, 2)


def test_the_classifier_is_copied_and_the_digest_is_another() -> None:
    one = plain()
    before, names = one.network_digest(), [name for name, _ in one.module.named_modules()]
    two, three = disconnected(one, 2), disconnected(one, 3)
    assert one.network_digest() == before
    assert [name for name, _ in one.module.named_modules()] == names
    assert len({before, two.network_digest(), three.network_digest()}) == 3
    assert (two.name, three.name) == ("shapes_plain_disconnected_2x2", "shapes_plain_disconnected_3x3")


def test_labels_of_mosaics_with_heads_are_its_classes() -> None:
    whole, dataset = disconnected(plain()), Mosaic(Shapes(size=32, limit=20), heads=True, limit=2)
    for index, sample in enumerate(dataset):
        number = class_of(sample.label, dataset, whole)
        assert number % 4 == index % 4
        assert whole.classes[number] == dataset.classes[sample.label]


def test_what_cannot_be_disconnected_is_said(images: Tensor) -> None:
    with pytest.raises(ValueError, match="resizes or crops"):
        disconnected(Classifier("net", nn.Identity(), "own", Preprocessing()))
    with pytest.raises(ValueError, match="side is 0"):
        disconnected(plain(), 0)
    with pytest.raises(ValueError, match="no 5 × 5 cells"):
        disconnected(plain(), 5).module(images)
    flat = Classifier("net", nn.Sequential(nn.Flatten(2), nn.Identity()), "own", WHOLE, {"last": "0"})
    with pytest.raises(ValueError, match="expected a map"):
        disconnected(flat).module(images)

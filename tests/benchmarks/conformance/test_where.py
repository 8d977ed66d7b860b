"""Layers at which a network is checked, and their placement on the image, found without sizes or kinds of layers."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.placement import Placement, find_placement, output_of
from heatmark.benchmarks.conformance.traps import FLATTENED, TRAPS
from heatmark.benchmarks.conformance.where import SIZES, checked_layers_of, drawn_size, layer_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.sources import torchvision_model

PLACED = {
    ("convolutions", "stem"): Placement(1, 0, (8, 10)),
    ("convolutions", "inner"): Placement(1, 0, (8, 10)),
    ("said convolutions", "stem"): Placement(1, 0, (8, 10)),
    ("channels last", "block"): Placement(3, 0, (5, 8)),
    ("silent channels last", "block"): Placement(3, 0, (5, 8)),
    ("silent channels last", "block.0"): Placement(3, 0, (5, 8)),
    ("encoder", "encoder.layers.0.norm1"): Placement(2, 1, (3, 4)),
    ("encoder", "encoder.layers.0.linear2"): Placement(2, 1, (3, 4)),
    ("encoder", "encoder.layers.1.norm2"): Placement(2, 1, (3, 4)),
    ("bypass", "before.one"): Placement(1, 0, (6, 8)),
    ("bypass", "layer"): Placement(1, 0, (6, 8)),
    ("overwriting", "layer"): Placement(1, 0, (6, 8)),
    ("flattened", "flat"): Placement(1, 0, (12, 12)),
}


def test_the_placement_of_every_trap() -> None:
    checked_layers = [checked for trap in (*TRAPS, FLATTENED) for checked in trap.checked_layers()]
    found = {(c.model, c.layer): find_placement(c.module, c.layer, c.images[:1]) for c in checked_layers}
    assert found == PLACED


def test_traps_have_the_pictures_aspect_where_they_should_not() -> None:
    checked_layers = {(c.model, c.layer): c for trap in TRAPS for c in trap.checked_layers()}
    for (model, layer), (a, b) in {("convolutions", "stem"): (1, 2), ("silent channels last", "block"): (2, 3)}.items():
        checked = checked_layers[model, layer]
        shape, (height, width) = output_of(checked.module, layer, checked.images).shape, checked.size
        assert shape[a] * width == shape[b] * height
        rows, columns = find_placement(checked.module, layer, checked.images[:1]).grid
        assert rows * width != columns * height


@pytest.mark.parametrize(
    ("name", "layer", "placement"),
    [
        ("convnext_tiny", "features.5", Placement(1, 0, (3, 5))),
        ("swin_t", "features.1", Placement(3, 0, (15, 21))),
        ("swin_t", "features.7", Placement(3, 0, (2, 3))),
        ("efficientnet_b0", "features.2", Placement(1, 0, (16, 22))),
    ],
)
def test_the_placement_of_torchvisions_layers(name: str, layer: str, placement: Placement) -> None:
    module = torchvision_model(name, weights=None).module
    image = torch.randn(1, 3, 63, 85, generator=torch.Generator().manual_seed(0))
    assert find_placement(module, layer, image) == placement


def test_a_placement_reads_and_writes_maps() -> None:
    tokens = np.arange(2 * 7 * 3, dtype=np.float64).reshape(2, 7, 3)
    place = Placement(2, 1, (2, 3))
    np.testing.assert_array_equal(place.maps(tokens)[1, 2], tokens[1, 1:, 2].reshape(2, 3))
    silenced = place.without(tokens, 2)
    assert not silenced[:, 1:, 2].any()
    np.testing.assert_array_equal(silenced[:, :, :2], tokens[:, :, :2])
    np.testing.assert_array_equal(silenced[:, 0], tokens[:, 0])
    assert not place.where_places_are(tokens + 1)[:, 0].any()


def test_what_has_no_place_is_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(ValueError, match=r"\(1, 2\) have no place"):
        find_placement(net, "1", torch.zeros(1, 3, 2, 2))


class Picky(nn.Module):
    """Takes pictures of an even height only."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(9)))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % 2:
            raise ValueError("odd")
        return self.features(x).mean(dim=(2, 3))


def picky() -> Classifier:
    return Classifier("picky", Picky().eval(), "random-0", Preprocessing())


def test_sizes_that_a_network_does_not_take_are_named() -> None:
    classifier, images = picky(), torch.rand(2, 3, 24, 30)
    double = Picky().double().eval()
    checked_layers, notes = checked_layers_of(classifier, double, "features", images, [(12, 12), (15, 21), (17, 8)])
    assert [checked.size for checked in checked_layers] == [(12, 12), (24, 30)]
    assert [note.note for note in notes] == ["it takes no images of 15×21, 17×8 pixels; checked at 24×30"]
    assert {checked.images.dtype for checked in checked_layers} == {torch.float64}
    with pytest.raises(ValueError, match="picky takes no images of 25×30 pixels"):
        checked_layers_of(classifier, double, "features", torch.rand(2, 3, 25, 30), [(15, 21)])


def test_a_size_is_drawn_from_the_layers_name() -> None:
    assert drawn_size("resnet18", "layer4") == drawn_size("resnet18", "layer4")
    assert {drawn_size("resnet18", f"layer{i}") for i in range(40)} == set(SIZES)


def test_layers_that_no_config_names_are_found_by_depth() -> None:
    images = torch.rand(1, 3, 24, 30)
    found = [layer_of(picky(), role, images) for role in ("early", "middle", "last")]
    assert found == ["features.2", "features.4", "features.8"]
    with pytest.raises(ValueError, match="unknown layer 'lasst'"):
        layer_of(picky(), "lasst", images)

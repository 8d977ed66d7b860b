"""Tests of the fusion of one method's maps at several layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from heatmark.common.resize import upsample
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.fusion import FusedLayers, unit_range
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.random_map import RandomMap


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("method", [LayerCAM(), EigenCAM()])
def test_a_plain_loop_gives_the_same(network, batch, how, method):
    model, (images, targets) = network("Residual"), batch
    fused = FusedLayers(method, ["block1", "block2"], how)(model, images, targets, "block2")
    for n in range(3):
        maps = []
        for layer in ("block2", "block1"):
            L = method(model, images[n : n + 1], targets[n : n + 1], layer)
            L = F.interpolate(L[None], size=(6, 8), mode="bilinear", align_corners=False)[0, 0]
            maps.append((L - L.min()) / (L.max() - L.min()))
        truth = torch.stack(maps).mean(dim=0) if how == "mean" else torch.maximum(*maps)
        assert truth.isfinite().all()
        torch.testing.assert_close(fused[n], truth, rtol=1e-9, atol=1e-12)


def test_a_constant_map_makes_the_fused_map_nan_for_its_image_only():
    maps = torch.tensor([[[1.0, 3], [2, 1]], [[5, 5], [5, 5]]])
    assert unit_range(maps)[0].tolist() == [[0, 1], [0.5, 0]]
    assert unit_range(maps)[1].isnan().all()


def test_upsampling_is_bilinear_between_pixel_centres():
    assert upsample(torch.tensor([[[0.0, 4]]]), (1, 4)).tolist() == [[[0, 1, 3, 4]]]


def test_a_layer_named_twice_counts_once(network, batch):
    model = network("Residual")
    once = FusedLayers(LayerCAM(), ["block1"])(model, *batch, "block2")
    assert torch.equal(once, FusedLayers(LayerCAM(), ("block1", "block2", "block1"))(model, *batch, "block2"))


def test_what_cannot_be_fused_is_said(network):
    assert "no layer 'layer3'" in FusedLayers(GradCAM(), ["layer3"]).unsupported(network("Residual"), "block2")
    assert FusedLayers(GradCAM(), ["block1"]).unsupported(network("Residual"), "block2") is None

    class Picky(GradCAM):
        def unsupported(self, model: nn.Module, layer: str) -> str | None:
            return f"not at {layer}" if layer == "block1" else None

    assert FusedLayers(Picky(), ["block1"]).unsupported(network("Residual"), "block2") == "not at block1"
    with pytest.raises(ValueError, match="explains the input"):
        FusedLayers(RandomMap(), ["block1"])
    with pytest.raises(ValueError, match="how='min'"):
        FusedLayers(GradCAM(), ["block1"], "min")


def test_it_is_hashable_and_equal_by_value():
    assert hash(FusedLayers(GradCAM(), ["a"])) == hash(FusedLayers(GradCAM(), ("a",)))
    assert FusedLayers(GradCAM(), ["a"]) == FusedLayers(GradCAM(), ("a",))

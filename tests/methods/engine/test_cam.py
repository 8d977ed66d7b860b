"""Tests of captures that several CAMs share: the same maps to the bit, and no backward pass that nobody needs."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.cam import CaptureCAM, captured, weighted_sum
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.xgrad_cam import XGradCAM

CAMS: Sequence[CaptureCAM] = (GradCAM(), GradCAMPlusPlus(), HiResCAM(), LayerCAM(), XGradCAM(), EigenCAM())


@pytest.mark.parametrize(
    ("kind", "layer"), [("InPlace", "features.4"), ("Residual", "block2"), ("GapLinear", "features.0")]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_maps_of_a_shared_capture_are_those_of_the_methods_alone_to_the_bit(network, batch, kind, layer, dtype):
    model, images, targets = network(kind).to(dtype), batch[0].to(dtype), batch[1]
    c = captured(CAMS, model, images, targets, layer)
    for method in CAMS:
        alone = method(model, images, targets, layer)
        assert torch.equal(method.relevance(c).nan_to_num(7), alone.nan_to_num(7)), method
        assert alone.dtype == dtype


class Counted:
    """The number of forward passes through a model, and of backward passes through its last module."""

    def __init__(self, model: nn.Module, last: nn.Module) -> None:
        self.forwards = self.backwards = 0
        model.register_forward_hook(self._forward)
        last.register_full_backward_hook(self._backward)

    def _forward(self, *_: object) -> None:
        self.forwards += 1

    def _backward(self, *_: object) -> None:
        self.backwards += 1


def passes(model: nn.Module, methods: Sequence[CaptureCAM], batch: tuple[Tensor, Tensor]) -> tuple[int, int]:
    counted = Counted(model, model.classifier[5])
    captured(methods, model, *batch, "features.3")
    return counted.forwards, counted.backwards


def test_all_share_one_forward_and_one_backward_pass_and_activations_alone_need_no_backward_pass(network, batch):
    assert passes(network("InPlace"), CAMS, batch) == (1, 1)
    assert passes(network("InPlace"), [EigenCAM()], batch) == (1, 0)
    alone = Counted(model := network("InPlace"), model.classifier[5])
    EigenCAM()(model, *batch, "features.3")
    assert (alone.forwards, alone.backwards) == (1, 0)


def test_what_was_not_captured_is_nan(network, batch):
    c = captured([EigenCAM()], network("InPlace"), *batch, "features.3")
    assert c.gradients.shape == c.activations.shape
    assert c.gradients.isnan().all()
    assert GradCAM().relevance(c).isnan().all(), "a method that needs gradients makes no map of none"


@pytest.mark.parametrize("size", [(7, 7), (13, 13), (8, 8)])
def test_a_weighted_sum_does_not_depend_on_the_place_in_the_batch(size: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    weights, activations = torch.randn(8, 64, generator=random), torch.randn(8, 64, *size, generator=random)
    found = weighted_sum(weights, activations)
    for n in range(8):
        alone = weighted_sum(weights[[n] * 8], activations[[n] * 8])
        assert torch.equal(found[n], alone[0])
        assert (alone == alone[0]).all()
    double = torch.einsum("nc,nchw->nhw", weights.double(), activations.double())
    torch.testing.assert_close(found.double(), double, rtol=1e-4, atol=1e-4)

"""Our CAMs and pytorch-grad-cam's: equal where both are right, different where an in-place ReLU follows the layer."""

from importlib import import_module

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from heatmark.methods.base import Method
from heatmark.methods.external.pgc import PytorchGradCAM

PAIRS = {
    "GradCAM": "heatmark.methods.grad_cam.GradCAM",
    "HiResCAM": "heatmark.methods.hires_cam.HiResCAM",
    "LayerCAM": "heatmark.methods.layer_cam.LayerCAM",
    "XGradCAM": "heatmark.methods.xgrad_cam.XGradCAM",
    "GradCAMPlusPlus": "heatmark.methods.grad_cam_pp.GradCAMPlusPlus",
}


def ours(theirs: str) -> Method:
    """Return our method of the same name as a class of pytorch-grad-cam's."""
    module, _, name = PAIRS[theirs].rpartition(".")
    method: Method = getattr(import_module(module), name)()
    return method


@pytest.fixture(scope="module")
def resnet18() -> nn.Module:
    """A head with large weights keeps g² far above the ε of 1e-6 in the library's GradCAMPlusPlus."""
    torch.manual_seed(0)
    model: nn.Module = torchvision.models.resnet18(weights=None, num_classes=10)
    with torch.no_grad():
        model.fc.weight *= 1e4
    return model.double().eval()


@pytest.fixture(scope="module")
def vgg16_features() -> nn.Sequential:
    """VGG-16's convolutions, whose ReLUs run in place, with a small head; layer ``0.28`` is the last convolution."""
    torch.manual_seed(0)
    return nn.Sequential(make_layers(cfgs["D"]), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(2048, 10)).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def distance(found: Tensor, expected: Tensor) -> float:
    """Return max |found − expected| / max expected."""
    return float((found - expected).abs().max() / expected.max())


@pytest.mark.parametrize("theirs", PAIRS)
def test_cams_are_equal_behind_a_residual_block(theirs, resnet18, images):
    targets = torch.tensor([0, 4, 9])
    library = PytorchGradCAM(theirs)(resnet18, images.double(), targets, "layer4")
    tolerance = {"XGradCAM": 1e-6, "GradCAMPlusPlus": 1e-6}.get(theirs, 1e-12)  # the library's ε is what is left
    assert library.max() > 0
    assert distance(ours(theirs)(resnet18, images.double(), targets, "layer4"), library) < tolerance


@pytest.mark.parametrize(("theirs", "wrong"), [("GradCAM", True), ("XGradCAM", True), ("HiResCAM", False)])
def test_theirs_changes_with_inplace_and_ours_does_not(theirs, wrong, vgg16_features, images):
    """HiResCAM is spared: where the ReLU cuts an activation off, the gradient that it is multiplied with is zero."""
    targets = torch.tensor([0, 4, 9])
    methods = (ours(theirs), PytorchGradCAM(theirs))
    in_place = [method(vgg16_features, images, targets, "0.28") for method in methods]
    relus = [part for part in vgg16_features.modules() if isinstance(part, nn.ReLU)]
    for relu in relus:
        relu.inplace = False
    out_of_place = [method(vgg16_features, images, targets, "0.28") for method in methods]
    for relu in relus:
        relu.inplace = True
    assert torch.equal(in_place[0], out_of_place[0])
    assert distance(out_of_place[1], out_of_place[0]) < 1e-4
    assert (distance(in_place[1], in_place[0]) > 0.1) is wrong

"""Grad-CAM, ours and Captum's, on the models of torchvision with random weights."""

import pytest
import torch
import torchvision
from torch import nn

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import compose_command
from heatmark.methods.external.captum_layers import LayerGradCAM
from heatmark.methods.grad_cam import GradCAM

DEFAULT = [
    ("resnet18", "layer4"),
    ("squeezenet1_1", "features.12"),
    ("mobilenet_v3_small", "features.12"),
    ("vgg16", "features.28"),  # a ReLU runs in place behind it
]
HEAVY = [
    ("resnet50", "layer4"),
    ("densenet121", "features"),  # a functional ReLU runs in place behind it
    ("efficientnet_b0", "features.8"),
    ("convnext_tiny", "features.7"),
]
CELLS = [*DEFAULT, *(pytest.param(*cell, marks=pytest.mark.slow) for cell in HEAVY)]


def seeded(name: str) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=10)
    return model.eval()


@pytest.mark.parametrize(("name", "layer"), CELLS)
def test_grad_cam_equals_captums(name, layer):
    """To 1e-5 of the map's maximum in float32 and to 1e-10 in float64."""
    model = seeded(name)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([0, 3, 6, 9])
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        model, x = model.to(dtype), images.to(dtype)
        ours, theirs = (method(model, x, targets, layer) for method in (GradCAM(), LayerGradCAM()))
        assert ours.dtype == theirs.dtype == dtype
        assert theirs.max() > 0
        assert float((ours - theirs).abs().max() / theirs.max()) <= tolerance


@pytest.mark.parametrize("name", ["shapes_plain", "shapes_residual", "shapes_residual_shortcut"])
@pytest.mark.parametrize("role", ["early", "middle", "last"])
def test_grad_cam_equals_captums_on_the_shipped_models(name, role):
    classifier = build(compose_command("sweep", [f"model={name}"]).model, "model")
    images = torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([0, 3, 6, 9])
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        model, x = classifier.module.to(dtype), images.to(dtype)
        ours, theirs = (m(model, x, targets, classifier.layers[role]) for m in (GradCAM(), LayerGradCAM()))
        assert theirs.max() > 0
        assert float((ours - theirs).abs().max() / theirs.max()) <= tolerance


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer"), [("vit_b_16", "encoder.layers.encoder_layer_11.ln_1"), ("swin_t", "features.7")]
)
def test_captum_cannot_read_transformers(name, layer):
    """What keeps these two out of the comparison above."""
    model = seeded(name)
    with pytest.raises(ValueError, match="tokens or rows"):
        LayerGradCAM()(model, torch.zeros(1, 3, 224, 224), torch.tensor([0]), layer)

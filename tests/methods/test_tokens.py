"""Tests of every CAM on transformers, with class tokens or channels last, on images that are not square too."""

import pytest
import torch
from torch import nn
from torchvision.models import SwinTransformer, VisionTransformer, swin_t

from heatmark.common.features import TokenLayout
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.capture import activations_at, capture
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.score_cam import ScoreCAM
from heatmark.methods.xgrad_cam import XGradCAM

EVERY = [GradCAM(), GradCAMPlusPlus(), XGradCAM(), HiResCAM(), LayerCAM(), EigenCAM(), ScoreCAM(), AblationCAM()]


def vit() -> nn.Module:
    model = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=24, num_classes=5)
    nn.init.normal_(model.heads.head.weight)
    return model


def swin() -> nn.Module:
    return SwinTransformer([4, 4], 12, [1, 1], [1, 2], [4, 4], num_classes=5)


@pytest.fixture(scope="module")
def models():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {"vit": shifted(vit()).double().eval(), "swin": shifted(swin()).double().eval()}


def shifted(model):
    """Give layer norms biases: without them the channels' mean is 0, and Eigen-CAM's sign undefined."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.normal_(module.bias)
    return model


CASES = [
    ("vit", "encoder.layers.encoder_layer_1.ln_1", (32, 32), (4, 4)),
    ("vit", "encoder.layers.encoder_layer_0", (32, 32), (4, 4)),
    ("vit", "conv_proj", (32, 32), (4, 4)),
    ("swin", "features.3", (64, 96), (8, 12)),
    ("swin", "features.0", (64, 96), (16, 24)),
    ("swin", "permute", (64, 96), (8, 12)),
]


@pytest.mark.parametrize(("kind", "layer", "size", "grid"), CASES)
@pytest.mark.parametrize("method", EVERY, ids=lambda method: type(method).__name__)
def test_a_map_has_the_grid_of_the_patches_and_no_batch_in_it(models, kind, layer, size, grid, method):
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    targets = torch.tensor([1, 4])
    maps = method(models[kind], images, targets, layer)
    assert maps.shape == (2, *grid)
    assert maps.isfinite().all()
    torch.testing.assert_close(method(models[kind], images[1:], targets[1:], layer), maps[1:], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("kind", "layer", "size", "grid"), [CASES[2], CASES[4]])
def test_features_lie_where_the_image_changes(models, kind, layer, size, grid):
    """At the patch embedding, only the features of the changed patch change."""
    images = torch.zeros(1, 3, *size, dtype=torch.float64)
    patch = size[0] // grid[0]
    images[:, :, 2 * patch : 3 * patch, 3 * patch : 4 * patch] = torch.linspace(-1, 1, patch)
    change = activations_at(models[kind], images, layer) - activations_at(models[kind], 0 * images, layer)
    assert change[0].abs().amax(dim=0).nonzero().tolist() == [[2, 3]]


def test_grad_cam_by_hand_on_tokens(network, batch):
    """The class token is left out of the mean and of the map."""
    model, (images, targets) = network("Tokens"), batch
    recorded = []
    handle = model.norm.register_forward_hook(lambda _m, _i, output: recorded.append(output))
    model(images).gather(1, targets[:, None]).sum()
    handle.remove()
    tokens = recorded[0].detach().requires_grad_()
    mixed = tokens + model.mixing(tokens, tokens, tokens, need_weights=False)[0]
    y = model.fc(mixed[:, 0]).gather(1, targets[:, None]).sum()
    (g,) = torch.autograd.grad(y, tokens)
    weights = g[:, 1:].mean(dim=1)
    truth = torch.einsum("nc,ntc->nt", weights, tokens[:, 1:].detach()).relu().reshape(3, 3, 4)
    assert truth.max() > 0
    torch.testing.assert_close(GradCAM()(model, images, targets, "norm"), truth, rtol=1e-9, atol=1e-12)


def test_register_tokens_need_the_models_word(network, batch):
    model = network("Tokens", class_tokens=5)
    with pytest.raises(ValueError, match="17 tokens fit no grid"):
        capture(model, *batch, "norm")
    model.token_layout = TokenLayout(class_tokens=5)
    assert capture(model, *batch, "norm").activations.shape == (3, 8, 3, 4)
    model.token_layout = TokenLayout(class_tokens=5, grid=(4, 3))
    assert capture(model, *batch, "norm").activations.shape == (3, 8, 4, 3)


@pytest.mark.parametrize(("layer", "grid"), [("features.0.1", (24, 32)), ("permute", (3, 4))])
def test_a_permutation_says_itself_where_the_channels_are(layer: str, grid: tuple[int, int]) -> None:
    """Swin's token_layout describes its blocks; its last ``permute`` still gives (N, C, h, w)."""
    torch.manual_seed(0)
    model = swin_t().eval()
    model.token_layout = TokenLayout(class_tokens=0, channels_last=True)
    maps = GradCAM()(model, torch.randn(1, 3, 96, 128), torch.tensor([3]), layer)
    assert maps.shape[1:] == grid

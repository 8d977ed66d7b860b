"""Tests that the adapters give pytorch-grad-cam's numbers."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatmark.common.features import TokenLayout
from heatmark.methods.ablation_cam import AblationCAM as OurAblationCAM
from heatmark.methods.engine.capture import capture
from heatmark.methods.external.pgc import AblationCAM, PytorchGradCAM, ScoreCAM, SeededCAM, library_class, to_maps
from heatmark.methods.external.preserved import seed_all

ADAPTERS = [
    *map(PytorchGradCAM, ["GradCAM", "GradCAMPlusPlus", "XGradCAM", "HiResCAM", "LayerCAM", "GradCAMElementWise"]),
    *map(PytorchGradCAM, ["EigenCAM", "EigenGradCAM", "ShapleyCAM", "FEM"]),
    *map(SeededCAM, ["RandomCAM", "KPCA_CAM"]),
    ScoreCAM(),
    AblationCAM(),
]


def directly(name: str, model: nn.Module, images: Tensor, targets: Tensor, layer: nn.Module, **options: object):
    """Call the library as its README does: maps (N, H, W), normalised and resized."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with library_class(name)(model, [layer], **options) as cam:
        return cam(images, [ClassifierOutputTarget(int(t)) for t in targets])


def scaled(raw: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Apply the library's last two steps: scale and resize each layer, then scale their mean, here of one layer."""
    from pytorch_grad_cam.utils.image import scale_cam_image

    return scale_cam_image(scale_cam_image(raw.numpy(), size[::-1]))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.cam)
def test_is_what_the_library_scales_and_resizes(adapter, net, images, targets):
    size = (24, 16)
    images = images[:, :, : size[0], : size[1]]
    raw = adapter(net, images, targets, "3")
    assert raw.shape == (3, 12, 8)
    assert float(raw.min()) >= 0
    if isinstance(adapter, SeededCAM):  # draws as it would for the first image alone
        images, targets, raw = images[:1], targets[:1], raw[:1]
        seed_all(images, 0)
    assert float(raw.max()) > 0
    direct = directly(adapter.cam, net, images, targets, net[3])
    np.testing.assert_allclose(scaled(raw, size), direct, rtol=1e-5, atol=1e-5)


def test_keeps_the_librarys_mistake_before_a_relu_that_runs_in_place(net, images, targets):
    """By hand: gradients from before the ReLU, activations from behind it, because the library copies nothing."""
    c = capture(net, images, targets, "3")
    weights = c.gradients.mean((2, 3))[:, :, None, None]
    right, wrong = (weights * c.activations).sum(1).relu(), (weights * c.activations.relu()).sum(1).relu()
    assert (right - wrong).abs().max() > 0.1 * right.max()
    torch.testing.assert_close(PytorchGradCAM("GradCAM")(net, images, targets, "3"), wrong)
    net[4].inplace = False
    torch.testing.assert_close(PytorchGradCAM("GradCAM")(net, images, targets, "3"), right)


def test_seeds_differ_and_repeat(net, images, targets):
    maps = [SeededCAM("RandomCAM", seed=seed)(net, images, targets, "3") for seed in (0, 0, 1)]
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])


def test_ablates_tokens_channel_by_channel(vit, images, targets):
    """By hand, as the library does it: the ablated channel is 1e7 below the minimum of all that is in the pass."""
    layer = vit.encoder.layers.encoder_layer_1.ln_1
    raw = AblationCAM(perturbations=1)(vit, images[:1], targets[:1], "encoder.layers.encoder_layer_1.ln_1")
    kept: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _m, _i, out: kept.append(out))
    with torch.no_grad():
        score = vit(images[:1])[0, targets[0]]
        hook.remove()
        drops = []
        for channel in range(16):
            ablated = kept[0].clone()
            ablated[..., channel] = kept[0].min() - 1e7
            replace = layer.register_forward_hook(lambda _m, _i, _o, ablated=ablated: ablated)
            drops.append((score - vit(images[:1])[0, targets[0]]) / score)
            replace.remove()
    maps = kept[0][:, 1:].transpose(1, 2).reshape(1, 16, 6, 6)
    expected = (torch.stack(drops)[None, :, None, None] * maps).sum(1).relu()
    torch.testing.assert_close(raw, expected, rtol=1e-4, atol=1e-4 * float(expected.max()))


def test_one_look_at_the_axes_is_enough_for_all_passes_of_an_explanation(vit, images):
    """Score-CAM's thousands of masked passes would else each cost a trace."""
    runs: list[int] = []
    vit.register_forward_pre_hook(lambda _m, inputs: runs.append(len(inputs[0])))
    reshape = to_maps(vit, "encoder.layers.encoder_layer_1.ln_1", images)
    features = torch.randn(2, 37, 16)
    assert reshape(features).shape == (2, 16, 6, 6)
    assert torch.equal(reshape(features[:1]), reshape(features)[:1])
    assert runs == [4, 4]


def test_an_unknown_class_is_answered_with_the_nearest(net, images, targets):
    with pytest.raises(ValueError, match=r"unknown CAM of pytorch-grad-cam 'GradCam': did you mean .*GradCAM"):
        PytorchGradCAM("GradCam")(net, images, targets, "3")


def test_a_layer_without_a_map_is_refused(net, images, targets):
    with pytest.raises(ValueError, match="not maps over the image"):
        PytorchGradCAM("GradCAM")(net, images, targets, "7")
    with pytest.raises(ValueError, match="unknown layer"):
        PytorchGradCAM("GradCAM")(net, images, targets, "17")


def test_ablates_channels_of_a_transformers_convolutional_stem_after_its_relu():
    """A ReLU has the layout of the convolution before it: no tokens, though the model has a token_layout."""
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 12, 3, stride=2), nn.ReLU(), nn.Conv2d(12, 4, 1))
    model = nn.Sequential(stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    model.token_layout = TokenLayout()
    images, targets = torch.randn(2, 3, 15, 11), torch.tensor([2, 0])
    maps, ours = (method(model, images, targets, "0.1") for method in (AblationCAM(), OurAblationCAM()))
    assert ours.shape == (2, 7, 5)
    assert ours.amax() > 0
    torch.testing.assert_close(maps, ours, rtol=1e-4, atol=1e-6)


def test_a_name_like_none_gets_all_in_alphabetical_order():
    with pytest.raises(ValueError, match=r"unknown CAM of pytorch-grad-cam '12': expected one of .*\.") as told:
        library_class("12")
    names = str(told.value).partition("expected one of ")[2].rstrip(".").split(", ")
    assert names == sorted(names)
    assert "GradCAM" in names

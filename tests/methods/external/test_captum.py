"""Tests that the adapters give Captum's numbers, and that these are the papers' where a closed form exists."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from heatmark.methods.external.captum_gradients import DeepLIFT, GuidedBackprop, IntegratedGradients
from heatmark.methods.external.captum_layers import GuidedGradCAM, LayerGradCAM
from heatmark.methods.external.captum_perturbations import KernelSHAP, Occlusion, superpixels
from heatmark.methods.external.preserved import seed_all

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def guided_grad_cam(a, net, x, t, m):
    return a.GuidedGradCam(net, net[3]).attribute(x, t, interpolate_mode="bilinear").abs().amax(1)


def integrated_gradients(a, net, x, t, m):
    return a.IntegratedGradients(net).attribute(x, target=t, n_steps=m.n_steps).sum(1)


def gradient_shap(a, net, x, t, m):
    seed_all(x, 0)
    return a.GradientShap(net).attribute(x, torch.zeros_like(x), m.n_samples, 0.09, target=t).sum(1)


def smooth_grad(a, net, x, t, m):
    seed_all(x, 0)
    stdev = 0.15 * float(x.max() - x.min())
    tunnel = a.NoiseTunnel(a.Saliency(net))
    return tunnel.attribute(x, nt_samples=m.n_samples, stdevs=stdev, target=t, abs=False).abs().amax(1)


def occlusion(a, net, x, t, m):
    return a.Occlusion(net).attribute(x, (3, 8, 8), strides=(3, 6, 6), target=t)[:, 1]


def feature_ablation(a, net, x, t, m):
    return a.FeatureAblation(net).attribute(x, target=t, feature_mask=superpixels(x, 6))[:, 2]


def kernel_shap(a, net, x, t, m):
    seed_all(x, 0)
    return a.KernelShap(net).attribute(x, target=t, feature_mask=superpixels(x, 6), n_samples=m.n_samples)[:, 0]


def lime(a, net, x, t, m):
    seed_all(x, 0)
    return a.Lime(net).attribute(x, target=t, feature_mask=superpixels(x, 6), n_samples=m.n_samples)[:, 0]


DIRECTLY = {
    "layer_grad_cam": lambda a, net, x, t, m: a.LayerGradCam(net, net[3]).attribute(x, t, relu_attributions=True)[:, 0],
    "guided_grad_cam": guided_grad_cam,
    "saliency": lambda a, net, x, t, m: a.Saliency(net).attribute(x, t).amax(1),
    "input_x_gradient": lambda a, net, x, t, m: a.InputXGradient(net).attribute(x, t).sum(1),
    "integrated_gradients": integrated_gradients,
    "gradient_shap": gradient_shap,
    "smooth_grad": smooth_grad,
    "guided_backprop": lambda a, net, x, t, m: a.GuidedBackprop(net).attribute(x, t).abs().amax(1),
    "deconvolution": lambda a, net, x, t, m: a.Deconvolution(net).attribute(x, t).abs().amax(1),
    "deep_lift": lambda a, net, x, t, m: a.DeepLift(net).attribute(x, target=t).sum(1),
    "occlusion": occlusion,
    "feature_ablation": feature_ablation,
    "kernel_shap": kernel_shap,
    "lime": lime,
}


@pytest.mark.parametrize("name", DIRECTLY)
def test_is_what_the_library_says_of_one_image(name, method, net, images, targets):
    import captum.attr

    adapter = method(f"captum_{name}")
    maps = adapter(net, images, targets, "3")
    direct = [
        DIRECTLY[name](captum.attr, net, images[i : i + 1].clone(), targets[i : i + 1], adapter) for i in range(3)
    ]
    torch.testing.assert_close(maps, torch.cat(direct).detach(), rtol=1e-5, atol=1e-5 * float(maps.abs().max()))


def linear_model(*, size: int = 12) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 4)).double().eval()


@pytest.mark.parametrize(
    "name", ["input_x_gradient", "integrated_gradients", "deep_lift", "feature_ablation", "kernel_shap"]
)
def test_on_a_linear_model_the_score_is_split_by_its_terms(name, method):
    """On y = Wx + b all of these give w·x: per pixel by gradients, per superpixel by perturbation."""
    model, targets = linear_model(), torch.tensor([3, 0])
    x = torch.randn(2, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    terms = (model[1].weight[targets].detach().view_as(x) * x).sum(1)
    if name in ("feature_ablation", "kernel_shap"):
        labels = [superpixels(image[None], 6)[0, 0] for image in x]
        sums = [torch.bincount(label.flatten(), term.flatten()) for label, term in zip(labels, terms, strict=True)]
        terms = torch.stack([s[label] for s, label in zip(sums, labels, strict=True)])
    options = {"n_samples": 60} if name == "kernel_shap" else {}
    maps = method(f"captum_{name}", **options)(model, x, targets, "input")
    tolerance = 1e-4 if name == "kernel_shap" else 1e-6  # Captum fits in float32, and weighs IG's steps in float32
    torch.testing.assert_close(maps, terms, rtol=tolerance, atol=tolerance)


def test_integrated_gradients_are_complete(net, images, targets):
    net, x = net.double(), images.double()
    maps = IntegratedGradients(n_steps=300)(net, x, targets, "input")
    rows = torch.arange(3)
    expected = (net(x) - net(x * 0))[rows, targets]
    torch.testing.assert_close(maps.sum((1, 2)), expected, rtol=1e-2, atol=1e-3)


def test_occlusion_equals_a_plain_loop(net, images, targets):
    """Mean drop over the windows that cover a pixel; the last windows are cut at the border."""
    window, stride, size = 8, 6, 24
    drops, covers = torch.zeros(3, size, size), torch.zeros(size, size)
    rows = torch.arange(3)
    with torch.no_grad():
        score = net(images)[rows, targets]
        for top in range(0, size - window + stride, stride):
            for left in range(0, size - window + stride, stride):
                occluded = images.clone()
                occluded[:, :, top : top + window, left : left + window] = 0
                drop = score - net(occluded)[rows, targets]
                drops[:, top : top + window, left : left + window] += drop[:, None, None]
                covers[top : top + window, left : left + window] += 1
    maps = Occlusion(window=window, stride=stride)(net, images, targets, "input")
    torch.testing.assert_close(maps, drops / covers, rtol=1e-4, atol=1e-6)


def test_feature_ablation_equals_a_plain_loop(method, net, images, targets):
    maps = method("captum_feature_ablation")(net, images, targets, "input")
    for image, target, found in zip(images, targets, maps, strict=True):
        labels = superpixels(image[None], 6)[0, 0]
        expected = torch.empty(24, 24)
        for label in range(int(labels.max()) + 1):
            drop = (net(image[None]) - net((image * (labels != label))[None]))[0, target]
            expected[labels == label] = float(drop)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_kernel_shap_finds_the_shapley_values(net, images, targets):
    """By the definition, over all coalitions of the superpixels; the samples are many enough to hold each of them."""
    image, target = images[:1], int(targets[0])
    labels = superpixels(image, 4)
    players = int(labels.max()) + 1
    assert 2 < players <= 6
    with torch.no_grad():
        coalitions = torch.tensor(np.array(np.meshgrid(*[[0, 1]] * players, indexing="ij"))).reshape(players, -1).T
        scores = net(image * coalitions[:, labels[0, 0]][:, None])[:, target].double()
    shapley = torch.zeros(players, dtype=torch.float64)
    for player in range(players):
        without = coalitions[:, player] == 0
        sizes = coalitions[without].sum(1)
        weight = torch.exp(
            torch.lgamma(sizes + 1.0) + torch.lgamma(players - sizes + 0.0) - torch.lgamma(torch.tensor(players + 1.0))
        )
        gains = scores[torch.arange(len(scores))[without] + 2 ** (players - 1 - player)] - scores[without]
        shapley[player] = (weight * gains).sum()
    maps = KernelSHAP(n_superpixels=4, n_samples=1500, batch_size=500)(net, image, targets[:1], "input")
    expected = shapley[labels[0, 0]].float()
    torch.testing.assert_close(maps[0], expected, rtol=0.1, atol=0.05 * float(expected.abs().max()))


def without_inplace(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


@pytest.mark.parametrize("name", ["layer_grad_cam", "guided_grad_cam", "guided_backprop", "deconvolution", "deep_lift"])
def test_relus_that_run_in_place_change_nothing(name, method, net, images, targets):
    """Captum's hooks pass clones on, so that adapters need not switch ``inplace`` off."""
    adapter = method(f"captum_{name}")
    in_place = adapter(net, images, targets, "3")
    assert torch.equal(adapter(without_inplace(net), images, targets, "3"), in_place)


class Copy(nn.Module):
    def forward(self, x):
        return 1 * x


@pytest.mark.parametrize(
    ("behind_conv", "complete"),
    [
        ([nn.ReLU(), Copy(), nn.MaxPool2d(2), Copy()], True),
        ([nn.MaxPool2d(2), nn.ReLU()], False),
        ([nn.ReLU(), Copy(), nn.MaxPool2d(3, stride=2), Copy()], False),
    ],
    ids=["apart", "rule next to rule", "overlapping"],
)
def test_deep_lift_is_complete_as_far_as_captum_takes_it(net, images, targets, behind_conv, complete):
    """If this fails because the map is complete, Captum has fixed its rule; update the adapter's docstring then."""
    net = nn.Sequential(net[0], *behind_conv, *net[3:]).double()
    x = images.double()
    with torch.no_grad():
        expected = (net(x) - net(x * 0))[torch.arange(3), targets]
    gap = (DeepLIFT()(net, x, targets, "input").sum((1, 2)) - expected).abs()
    assert bool((gap < 1e-9).all()) is complete


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.relu(self.conv(self.relu(self.conv(x)))).mean((2, 3)))


class Functional(Twice):
    def forward(self, x):
        return self.head(F.relu(self.conv(self.relu(x))).mean((2, 3)))


class Gated(Twice):
    def forward(self, x):
        x = self.conv(x)
        return self.head((x * x.mean((2, 3), keepdim=True)).mean((2, 3)))


class Untraceable(Twice):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


@pytest.mark.parametrize(
    ("model", "deep_lift", "guided"),
    [
        (Twice(), "runs the same module more than once (relu)", None),
        (Functional(), "calls relu as a function", "calls relu as a function"),
        (Gated(), "multiplies activations", None),
        (Untraceable(), None, None),
        (nn.Sequential(nn.Conv2d(3, 2, 1), nn.GELU()), "has GELU", "no nn.ReLU module"),
        (nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), None, None),
    ],
    ids=["twice", "functional", "gated", "untraceable", "gelu", "fine"],
)
def test_models_that_captum_cannot_explain_are_refused_with_the_reason(model, deep_lift, guided):
    model.train()
    for method, reason in ((DeepLIFT(), deep_lift), (GuidedBackprop(), guided)):
        found = method.unsupported(model, "input")
        assert found is None if reason is None else found is not None and reason in found
    assert model.training


def test_what_is_refused_is_what_captum_refuses(images):
    with pytest.raises(RuntimeError, match="used more than once"):
        DeepLIFT()(Twice().eval(), images, torch.tensor([0, 1, 1]), "input")


@pytest.mark.parametrize("method", [LayerGradCAM(), GuidedGradCAM()])
def test_tokens_are_refused_with_the_reason(method, vit, net, images, targets):
    assert method.unsupported(net, "3") is None
    reason = method.unsupported(vit, "encoder.layers.encoder_layer_1")
    assert reason is not None
    assert "tokens" in reason
    with pytest.raises(ValueError, match="takes the second dimension for the channels"):
        method(vit, images, targets, "encoder.layers.encoder_layer_1")


def test_a_transformers_convolutions_are_fine(vit, images, targets):
    assert LayerGradCAM().unsupported(vit, "conv_proj") is None
    assert LayerGradCAM()(vit, images, targets, "conv_proj").shape == (3, 6, 6)


def test_superpixels_are_numbered_from_zero_and_repeat(images):
    labels = superpixels(images[:1], 9)
    assert labels.shape == (1, 1, 24, 24)
    assert labels.unique().tolist() == list(range(int(labels.max()) + 1))
    assert 6 <= len(labels.unique()) <= 12
    assert torch.equal(labels, superpixels(images[:1], 9))


def test_the_window_of_occlusion_is_that_of_published_tables():
    assert (Occlusion().window, Occlusion().stride) == (32, 16)

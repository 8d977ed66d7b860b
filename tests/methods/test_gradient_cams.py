"""Tests of Grad-CAM, Grad-CAM++, XGrad-CAM, HiResCAM and LayerCAM."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from heatmark.methods.engine.capture import Capture, capture
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.xgrad_cam import XGradCAM

EVERY = [GradCAM(), GradCAMPlusPlus(), XGradCAM(), HiResCAM(), LayerCAM()]
IDS = [type(method).__name__ for method in EVERY]


def captured(activations, gradients):
    A, G = (torch.tensor(x, dtype=torch.float64)[None] for x in (activations, gradients))
    return Capture(A, G, torch.zeros(1, 2))


# Two channels of 1 × 2 places. Channel 0: A = (1, 3), g = (2, −1). Channel 1: A = (2, 0), g = (0, 1/2).
HAND = captured([[[1, 3]], [[2, 0]]], [[[2, -1]], [[0, 0.5]]])
BY_HAND = {
    # means of g: 1/2 and 1/4
    "GradCAM": [0.5 * 1 + 0.25 * 2, 0.5 * 3],
    # α relu(g): channel 0, ΣA = 4: 4 / (8 + 4·8) · 2 = 1/5; channel 1, ΣA = 2: (1/4) / (1/2 + 2/8) · 1/2 = 1/6
    "GradCAMPlusPlus": [1 / 5 * 1 + 1 / 6 * 2, 1 / 5 * 3],
    # Σ A g / ΣA: (2 − 3)/4 and 0
    "XGradCAM": [0.0, 0.0],
    "HiResCAM": [2.0, 0.0],
    "LayerCAM": [2.0, 0.0],
}


@pytest.mark.parametrize("method", EVERY, ids=IDS)
def test_by_hand(method):
    torch.testing.assert_close(method.relevance(HAND)[0, 0].tolist(), BY_HAND[type(method).__name__])


def test_weights_by_hand():
    assert XGradCAM().channel_weights(HAND).tolist() == [[-0.25, 0]]
    torch.testing.assert_close(GradCAMPlusPlus().channel_weights(HAND).tolist(), [[1 / 5, 1 / 6]])


def test_layer_cam_and_hires_cam_differ_by_the_negative_gradients():
    c = captured([[[2, 1]], [[1, 1]]], [[[3, -1]], [[-2, 4]]])
    assert HiResCAM().relevance(c).tolist() == [[[4, 3]]]
    assert LayerCAM().relevance(c).tolist() == [[[6, 4]]]


def test_layer_cam_cuts_gradients_not_products_where_activations_are_negative():
    # Σ_c relu(G) A = 0 · −1 + 1 · −2 < 0, although the product −1 · −1 of the first channel is positive.
    c = captured([[[-1]], [[-2]]], [[[-1]], [[1]]])
    assert LayerCAM().relevance(c).tolist() == [[[0]]]


@pytest.mark.parametrize("layer", ["features.4"])
def test_on_pooling_and_a_linear_head_four_methods_are_cam(network, batch, layer):
    model, (images, targets) = network("GapLinear"), batch
    c = capture(model, images, targets, layer)
    cam = torch.einsum("nc,nchw->nhw", model.fc.weight.detach()[targets], c.activations)
    places = c.activations.shape[2] * c.activations.shape[3]
    assert (cam > 0).any()
    assert (cam < 0).any()
    for method in (GradCAM(), XGradCAM(), HiResCAM()):
        torch.testing.assert_close(method(model, images, targets, layer) * places, cam.relu(), rtol=1e-10, atol=1e-12)
    positive = torch.einsum("nc,nchw->nhw", model.fc.weight.detach()[targets].relu(), c.activations)
    torch.testing.assert_close(LayerCAM()(model, images, targets, layer) * places, positive, rtol=1e-10, atol=1e-12)


def test_xgrad_cam_and_hires_cam_sum_to_the_same(network, batch):
    """Conservation: before the relu, Σ_ij Σ_c w_c A_cij = Σ_cij A_cij g_cij."""
    c = capture(network("InPlace"), *batch, "features.3")
    weights = XGradCAM().channel_weights(c)
    whole = torch.einsum("nc,nchw->n", weights, c.activations)
    torch.testing.assert_close(whole, (c.activations * c.gradients).sum(dim=(1, 2, 3)), rtol=1e-8, atol=1e-10)


def test_grad_cam_pp_is_equation_19_literally(network, batch):
    c = capture(network("InPlace"), *batch, "features.3")
    A, g = c.activations, c.gradients
    alpha = g**2 / (2 * g**2 + A.sum(dim=(2, 3), keepdim=True) * g**3)
    alpha[g == 0] = 0
    weights = (alpha * g.relu()).sum(dim=(2, 3))
    assert weights.abs().max() > 0
    torch.testing.assert_close(GradCAMPlusPlus().channel_weights(c), weights, rtol=1e-9, atol=1e-12)


def test_grad_cam_pp_does_not_underflow():
    c = Capture(torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 1e-30), torch.zeros(1, 2))
    torch.testing.assert_close(GradCAMPlusPlus().relevance(c).item(), 5e-31, rtol=1e-6, atol=0)


def test_a_silent_channel_contributes_nothing_and_an_undefined_weight_is_nan():
    silent = captured([[[0, 0]], [[1, 2]]], [[[5, 7]], [[1, 1]]])
    for method in EVERY:
        alone = captured([[[1, 2]]], [[[1, 1]]])
        assert torch.equal(method.relevance(silent), method.relevance(alone)), type(method).__name__
    cancelling = captured([[[-1, 1]], [[1, 2]]], [[[5, 7]], [[1, 1]]])
    assert XGradCAM().relevance(cancelling).isnan().all()
    pole = captured([[[-1, -1]]], [[[1, 1]]])  # 2 + g ΣA = 0
    assert GradCAMPlusPlus().relevance(pole).isnan().all()
    harmless = captured([[[1, 1]]], [[[-1, -1]]])  # the same with g < 0, which the relu drops
    assert GradCAMPlusPlus().relevance(harmless).tolist() == [[[0, 0]]]


@pytest.mark.parametrize("method", EVERY, ids=IDS)
def test_nan_gradients_stay_nan(method):
    c = captured([[[1, 2]]], [[[float("nan"), 1]]])
    assert method.relevance(c).isnan().any()


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 2**31))
def test_scaling_the_logit_scales_the_linear_cams(factor, seed):
    generator = torch.Generator().manual_seed(seed)
    A, g = (torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64) for _ in "Ag")
    one, scaled = Capture(A, g, A[:, :2, 0, 0]), Capture(A, factor * g, A[:, :2, 0, 0])
    for method in (GradCAM(), XGradCAM(), HiResCAM(), LayerCAM()):
        torch.testing.assert_close(method.relevance(scaled), factor * method.relevance(one))


@given(seed=st.integers(0, 2**31))
def test_the_order_of_channels_does_not_matter(seed):
    generator = torch.Generator().manual_seed(seed)
    A, g = (torch.randn(2, 6, 3, 4, generator=generator, dtype=torch.float64) for _ in "Ag")
    order = torch.randperm(6, generator=generator)
    for method in EVERY:
        one, other = (method.relevance(Capture(a, b, A[:, :2, 0, 0])) for a, b in ((A, g), (A[:, order], g[:, order])))
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("method", EVERY, ids=IDS)
def test_an_in_place_successor_changes_nothing(network, batch, method):
    ours = method(network("InPlace"), *batch, "features.3")
    assert ours.shape == (3, 6, 8)
    torch.testing.assert_close(ours, method(network("InPlace", inplace=False), *batch, "features.3"), rtol=0, atol=0)


def test_logits_are_explained_not_probabilities(batch):
    """A class whose probability is 1 still has its gradient."""

    class Sure(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, x):
            y = self.layer(x).mean(dim=(2, 3))
            return torch.stack([y.sum(dim=1) + 1e4, y[:, 0]], dim=1)

    images = batch[0].abs()
    maps = GradCAM()(Sure(), images, torch.zeros(3, dtype=torch.long), "layer")
    torch.testing.assert_close(maps, images.sum(dim=1) / (12 * 16))

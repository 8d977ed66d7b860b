"""Tests of Score-CAM: its values, its masks and its memory."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from heatmark.common.probabilities import target_probabilities
from heatmark.methods.engine.capture import activations_at
from heatmark.methods.score_cam import ScoreCAM, unit_masks, varying


def plain_score_cam(model, image, target, A):
    """The definitions of the paper, one mask at a time."""
    with torch.no_grad():
        p = lambda x: model(x[None]).softmax(dim=1)[0, target]  # noqa: E731
        L = torch.zeros_like(A[0])
        for channel in A:
            up = F.interpolate(channel[None, None], size=image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
            if up.max() > up.min():
                mask = (up - up.min()) / (up.max() - up.min())
                L += (p(image * mask) - p(torch.zeros_like(image))) * channel
    return L.relu()


@pytest.mark.parametrize(
    ("kind", "layer"), [("InPlace", "features.3"), ("InPlace", "features.4"), ("Residual", "block1")]
)
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_a_plain_loop_gives_the_same(network, batch, kind, layer, batch_size):
    model, (images, targets) = network(kind), batch
    maps = ScoreCAM(batch_size)(model, images, targets, layer)
    activations = activations_at(model, images, layer)
    truth = torch.stack([plain_score_cam(model, *each) for each in zip(images, targets, activations, strict=True)])
    assert truth.amax(dim=(1, 2)).max() > 0
    torch.testing.assert_close(maps, truth, rtol=1e-9, atol=1e-12)


class TwoChannels(nn.Module):
    """Channel 0 is the left half's brightness, channel 1 a constant; the logit of class 0 is the whole brightness."""

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.layer, self.constant = nn.Identity(), constant

    def forward(self, x):
        left = x.mean(dim=1) * torch.tensor([1.0, 0])
        A = self.layer(torch.stack([left, torch.full_like(left, self.constant)], dim=1))
        return torch.stack([x.mean(dim=(1, 2, 3)) + 0 * A.sum(), torch.zeros(len(x))], dim=1)


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_by_hand_with_a_constant_channel_that_contributes_nothing(constant):
    """One white row of two pixels: the mask keeps the left one, so the logit is 1/2, and on black 0."""
    images = torch.ones(1, 3, 1, 2)
    maps = ScoreCAM()(TwoChannels(constant), images, torch.tensor([0]), "layer")
    weight = torch.tensor(0.5).sigmoid() - 0.5
    torch.testing.assert_close(maps, torch.tensor([[[weight.item(), 0]]]))
    assert ScoreCAM()(TwoChannels(constant), images, torch.tensor([1]), "layer").tolist() == [[[0, 0]]]


def test_channels_that_are_not_finite_make_the_map_nan():
    images = torch.full((1, 3, 1, 2), torch.nan)
    assert ScoreCAM()(TwoChannels(0), images, torch.tensor([0]), "layer").isnan().all()


def test_masks_reach_from_zero_to_one():
    A = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    masks = unit_masks(A, (9, 20))
    assert masks.shape == (4, 9, 20)
    assert masks.amin(dim=(1, 2)).tolist() == [0] * 4
    assert masks.amax(dim=(1, 2)).tolist() == [1] * 4
    assert varying(torch.stack([A, torch.ones_like(A)])).tolist() == [[True] * 4, [False] * 4]


def test_memory_is_flat_in_the_channels(network, batch):
    model, sizes = network("InPlace"), []
    model.register_forward_pre_hook(lambda _m, inputs: sizes.append(len(inputs[0])))
    ScoreCAM(batch_size=4)(model, *batch, "features.3")
    assert max(sizes) == 4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_probabilities_of_half_precision_logits_are_float32(dtype):
    logits = torch.tensor([[9.0, 0, 0], [1, 2, 3]]).to(dtype)
    p = target_probabilities(nn.Identity(), logits, torch.tensor([0, 1]))
    torch.testing.assert_close(p, logits.float().softmax(dim=1)[[0, 1], [0, 1]], rtol=1e-6, atol=0)

"""Tests of Ablation-CAM and of the partial forward passes that it uses."""

import weakref

import pytest
import torch
from torch import nn

from heatmark.common.features import TokenLayout
from heatmark.common.model_state import observing
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.engine.capture import activations_at, capture
from heatmark.methods.engine.partial_forward import partial_forwards

LAYERS = [
    ("GapLinear", "features.4"),
    ("GapLinear", "features"),
    ("InPlace", "features.3"),
    ("InPlace", "features.0"),
    ("Residual", "stem"),
    ("Residual", "block1"),
    ("Residual", "block1.conv1"),
    ("Residual", "block1.conv2"),
    ("Residual", "block2.downsample"),
    ("Residual", "block2"),
    ("PreActivation", "stem"),
    ("PreActivation", "relu"),
    ("PreActivation", "conv"),
    ("Tokens", "patches"),
    ("Tokens", "norm"),
]


def plain_weights(model, images, targets, layer):
    """(y − y_c) / y, with one full forward pass per channel."""
    activations = activations_at(model, images, layer)
    prefix = 1 if layer == "norm" else 0

    def logits(channel=None):
        def ablate(_module, _inputs, output):
            output = output.clone()
            if output.ndim == 3:
                output[:, prefix:, channel] = 0
            else:
                output[:, channel] = 0
            return output

        handle = model.get_submodule(layer).register_forward_hook(ablate) if channel is not None else None
        with torch.no_grad():
            scores = model(images).gather(1, targets[:, None])[:, 0]
        if handle:
            handle.remove()
        return scores

    y = logits()
    weights = torch.stack([(y - logits(c)) / y for c in range(activations.shape[1])], dim=1)
    return weights, activations


@pytest.mark.parametrize(("kind", "layer"), LAYERS)
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_plain_loop_gives_the_same(network, batch, kind, layer, batch_size):
    model = network(kind)
    weights, activations = plain_weights(model, *batch, layer)
    truth = torch.einsum("nc,nchw->nhw", weights, activations).relu()
    assert truth.max() > 0
    torch.testing.assert_close(AblationCAM(batch_size)(model, *batch, layer), truth, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("kind", "layer", "trunk"),
    [
        ("InPlace", "features.4", "features.0"),
        ("Residual", "block2", "block1"),
        ("Residual", "block2.conv2", "block1"),
        ("Tokens", "norm", "patches"),
    ],
)
def test_the_trunk_runs_once_a_call_and_once_for_the_trial(network, batch, kind, layer, trunk):
    model, seen = network(kind), []
    model.token_layout = TokenLayout(class_tokens=1)  # else a trace runs it once more
    model.get_submodule(trunk).register_forward_pre_hook(
        lambda module, inputs: seen.append(0 if "forward" in vars(module) else len(inputs[0]))
    )
    AblationCAM(batch_size=2)(model, *batch, layer)
    assert [count for count in seen if count] == [3, 1], "every other call is handed what the first one gave"
    assert seen.count(0) > 2


@pytest.mark.parametrize(("kind", "layer"), LAYERS)
def test_a_model_resumed_with_its_own_features_gives_its_own_logits(network, batch, kind, layer):
    model, (images, _) = network(kind), batch
    with observing(model):
        logits = model(images)
    with partial_forwards(model, images, layer) as run:
        torch.testing.assert_close(run.logits, logits, rtol=0, atol=0)
        for n in range(len(images)):
            again = run.head(run.features[n].repeat(5, *[1] * (run.features.ndim - 1)), n)
            torch.testing.assert_close(again, logits[n].expand(5, -1), rtol=1e-10, atol=1e-12)


def test_what_a_sequential_hands_on_is_freed(network, batch):
    """No output of the layers before it in a Sequential is kept."""
    held = []

    class Watched(nn.Conv2d):
        def forward(self, x):
            output = super().forward(x)
            held.append(weakref.ref(output))
            return output

    model = nn.Sequential(Watched(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 5, 1), nn.Flatten(), nn.LazyLinear(4))
    model(batch[0].float())
    held.clear()
    with partial_forwards(model, batch[0].float(), "2"):
        assert held[0]() is None


def test_on_a_linear_head_the_weights_are_the_linear_ones(network, batch):
    """y − y_c = Σ_ij g A exactly, so y w_c is the gradient times the channel's sum."""
    model, (images, targets) = network("GapLinear"), batch
    c = capture(model, images, targets, "features.4")
    y = c.logits.gather(1, targets[:, None])
    truth = torch.einsum("nc,nchw->nhw", (c.gradients * c.activations).sum(dim=(2, 3)) / y, c.activations).relu()
    torch.testing.assert_close(AblationCAM()(model, images, targets, "features.4"), truth, rtol=1e-9, atol=1e-12)


class Sum(nn.Module):
    """y_0 = Σ_ij 2 A_0 − A_1 + bias."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.layer, self.bias = nn.Identity(), bias

    def forward(self, x):
        y = (self.layer(x[:, :2]) * torch.tensor([2.0, -1]).view(2, 1, 1)).sum(dim=(1, 2, 3)) + self.bias
        return torch.stack([y, -y], dim=1)


def test_by_hand_with_a_negative_logit_and_one_of_zero():
    images = torch.tensor([[[[1.0, 2]], [[1, 0]], [[0, 0]]]])  # 2·3 − 1 = 5
    zero = torch.tensor([0])
    torch.testing.assert_close(AblationCAM()(Sum(0), images, zero, "layer"), torch.tensor([[[6 / 5 - 1 / 5, 12 / 5]]]))
    torch.testing.assert_close(AblationCAM()(Sum(-15), images, zero, "layer"), torch.tensor([[[0.0, 0]]]))
    assert AblationCAM()(Sum(-5), images, zero, "layer").isnan().all()
    silent = AblationCAM()(Sum(1), torch.zeros(1, 3, 1, 2), zero, "layer")
    assert silent.tolist() == [[[0, 0]]]


@pytest.mark.parametrize("broken", ["block2.conv2", "block1.conv1"])
def test_nothing_is_left_behind_when_the_forward_fails(network, batch, state_of, broken):
    model = network("Residual")
    model.get_submodule(broken).bias = nn.Parameter(torch.zeros(99, dtype=torch.float64))
    before = state_of(model, batch[0])
    with pytest.raises(RuntimeError):
        AblationCAM()(model, *batch, "block1")
    assert state_of(model, batch[0]) == before


def test_nothing_is_left_behind_when_a_resumed_run_fails(network, batch, state_of):
    model, runs = network("Residual"), []

    def fail(_module, _inputs):
        runs.append(1)
        if len(runs) == 4:
            raise KeyError("in mid-ablation")

    model.fc.register_forward_pre_hook(fail)
    before = state_of(model, batch[0])
    with pytest.raises(KeyError, match="mid-ablation"):
        AblationCAM(batch_size=1)(model, *batch, "block1.conv2")
    assert state_of(model, batch[0]) == before


def test_a_layer_that_runs_twice_is_refused(network, batch):
    with pytest.raises(ValueError, match="ran 2 times"):
        AblationCAM()(network("Residual"), *batch, "block1.relu")

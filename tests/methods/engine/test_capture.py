"""Tests of the capture of activations and gradients at a layer."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.engine.capture import activations_at, capture, recorded_output
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.score_cam import ScoreCAM

EVERY_LAYER = [
    ("GapLinear", "features.4"),
    ("GapLinear", "features.0"),
    ("InPlace", "features.3"),
    ("Residual", "block1.downsample"),
    ("Residual", "block2"),
]


@pytest.mark.parametrize(("kind", "layer"), EVERY_LAYER)
def test_gradients_are_finite_differences_of_the_target_logit(network, batch, kind, layer):
    model, (images, targets) = network(kind), batch
    captured = capture(model, images, targets, layer)
    module, step = model.get_submodule(layer), 1e-6

    def logit(change):
        handle = module.register_forward_hook(lambda _m, _i, output: output + change)
        with torch.no_grad():
            logits = model(images)
        handle.remove()
        return logits.gather(1, targets[:, None])[:, 0]

    _, c, h, w = captured.activations.shape
    for place in [(0, 0, 0), (c - 1, h // 2, w // 2), (1, h - 1, 0)]:
        change = torch.zeros(c, h, w, dtype=torch.float64)
        change[place] = step
        difference = (logit(change) - logit(-change)) / (2 * step)
        torch.testing.assert_close(captured.gradients[(slice(None), *place)], difference, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("layer", ["features.0", "features.3"])
def test_an_in_place_successor_changes_nothing(network, batch, layer):
    ours = capture(network("InPlace"), *batch, layer)
    truth = capture(network("InPlace", inplace=False), *batch, layer)
    assert (ours.activations < 0).any(), "before the ReLU"
    assert torch.equal(ours.activations, truth.activations)
    assert torch.equal(ours.gradients, truth.gradients)


def test_a_layer_that_hands_on_its_own_input_is_copied(batch):
    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.identity, self.fc = nn.Conv2d(3, 5, 3), nn.Identity(), nn.Linear(5, 4)

        def forward(self, x):
            x = self.conv(x)
            y = self.identity(x)
            x.mul_(0)
            return self.fc((y + x).mean(dim=(2, 3)))

    model = Overwriting().double()
    with torch.no_grad():
        truth = model.conv(batch[0])
    assert torch.equal(capture(model, *batch, "identity").activations, truth)
    assert torch.equal(activations_at(model, batch[0], "identity"), truth)


def test_no_graph_is_recorded_below_the_layer(network, batch):
    model = network("InPlace")
    seen = []
    model.features[1].register_forward_hook(lambda _m, _i, output: seen.append(output.requires_grad))
    model.classifier[2].register_forward_hook(lambda _m, _i, output: seen.append(output.requires_grad))
    capture(model, *batch, "features.3")
    assert seen == [False, True]


def test_capture_works_inside_no_grad_and_inference_mode(network, batch):
    model = network("InPlace")
    truth = capture(model, *batch, "features.3").gradients
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(capture(model, *batch, "features.3").gradients, truth)
        assert torch.is_grad_enabled()


def test_activations_alone_are_those_of_the_capture(network, batch):
    for kind, layer in EVERY_LAYER:
        model = network(kind)
        assert torch.equal(activations_at(model, batch[0], layer), capture(model, *batch, layer).activations)


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_is_left_behind(network, batch, state_of, broken):
    model, (images, targets) = network("InPlace"), batch
    model.train()
    model.features[0].eval()
    model.features[3].weight.requires_grad_(False)
    model.classifier[2].weight.grad = torch.ones_like(model.classifier[2].weight)
    if broken:
        model.classifier[5] = nn.Linear(9, 4).double()
    before = state_of(model, images)
    with pytest.raises(RuntimeError) if broken else nullcontext():
        capture(model, images, targets, "features.3")
    assert state_of(model, images) == before


@pytest.mark.parametrize(
    ("kind", "layer", "message"),
    [
        ("InPlace", "feature.3", r"unknown layer 'feature.3' in InPlace: did you mean features\.3"),
        ("Residual", "block1.relu", "ran 2 times"),
        ("Tokens", "attention", "gives a tuple"),
        ("Tokens", "mixing.out_proj", "ran 0 times"),
        ("InPlace", "classifier.2", "not maps over the image"),
    ],
)
def test_a_layer_without_one_map_is_refused(network, batch, kind, layer, message):
    with pytest.raises(ValueError, match=message):
        capture(network(kind), *batch, layer)


def test_a_layer_that_the_target_does_not_see_is_refused(network, batch):
    model = network("Residual")
    model.side = nn.Conv2d(6, 2, 1).double()
    model.stem.register_forward_hook(lambda _m, _i, output: _run(model, output))
    with pytest.raises(ValueError, match="does not depend on layer 'side'"):
        capture(model, *batch, "side")


def _run(model, output):
    model.side(output)


@pytest.mark.parametrize(
    ("targets", "message"),
    [([0, 1], "expected logits"), ([0, 1, 4], "the model has 4 classes"), ([0, -1, 0], "from -1")],
)
def test_targets_that_do_not_fit_are_refused(network, batch, targets, message):
    with pytest.raises(ValueError, match=message):
        capture(network("InPlace"), batch[0], torch.tensor(targets), "features.3")


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
@pytest.mark.parametrize("method", [GradCAM(), ScoreCAM(), AblationCAM()], ids=lambda m: type(m).__name__)
def test_targets_of_any_integers_are_read_as_such(network, batch, method, dtype):
    model, (images, targets) = network("InPlace"), batch
    expected = method(model, images, targets, "features.3")
    assert torch.equal(method(model, images, targets.to(dtype), "features.3"), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_targets_that_are_no_integers_are_refused(network, batch, dtype):
    with pytest.raises(ValueError, match="expected whole numbers"):
        capture(network("InPlace"), batch[0], batch[1].to(dtype), "features.3")


def test_features_that_mix_images_are_refused(batch):
    class Windows(nn.Module):
        def __init__(self):
            super().__init__()
            self.cut, self.fc = nn.Unflatten(2, (2, 6)), nn.Linear(3, 4)
            self.mix = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            windows = self.cut(x).permute(0, 2, 1, 3, 4).flatten(0, 1)
            return self.fc(self.mix(windows).mean(dim=(2, 3)).unflatten(0, (-1, 2)).mean(dim=1))

    with pytest.raises(ValueError, match="for 3 images"):
        capture(Windows().double(), *batch, "mix")


def test_recorded_output_removes_its_hook_when_the_body_fails(network):
    model = network("InPlace")
    with pytest.raises(KeyError), recorded_output(model, "features.3"):
        raise KeyError
    assert not model.features[3]._forward_hooks

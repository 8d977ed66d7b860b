"""Tests of partial forward passes on models that skip a layer or its hooks when they run again."""

import copy

import pytest
import torch
from torch import Tensor, nn

from heatmark.common.model_state import observing, untouched
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.capture import activations_at, capture
from heatmark.methods.engine.partial_forward import partial_forwards
from heatmark.methods.fusion import FusedLayers
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.score_cam import ScoreCAM


class Encoder(nn.Module):
    """Patches of 4 pixels, a class token, torch's own transformer blocks."""

    def __init__(self, depth: int = 2) -> None:
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, 8, 4, stride=4), nn.Parameter(torch.randn(1, 1, 8))
        block = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
        self.encoder, self.fc = nn.TransformerEncoder(block, depth), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], dim=1)
        return self.fc(self.encoder(tokens).square().mean(dim=1))


class Plain(nn.Module):
    """Two stages of convolutions; the second, ``late``, may be a fused block."""

    def __init__(self) -> None:
        super().__init__()
        self.early = nn.Conv2d(3, 4, 3, padding=1)
        self.late = nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 6, 3, padding=1))
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.late(self.early(x).relu()).relu().mean(dim=(2, 3)))


def seeded(make, *args):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*args).eval()


@pytest.fixture
def images():
    return torch.randn(3, 3, 12, 16, generator=torch.Generator().manual_seed(1))


TARGETS = torch.tensor([2, 0, 3])
METHODS = [GradCAM(), EigenCAM(), ScoreCAM(), AblationCAM(batch_size=4), FusedLayers(GradCAM(), ["early"])]


def plain_ablation_cam(model, images, targets, layer):
    """Equations 3 and 4 in float64, one full forward pass per channel; a hook sets the patch tokens' channel to 0."""
    model, images = copy.deepcopy(model).double(), images.double()
    module, features = model.get_submodule(layer), []

    def run(channel):
        def ablate(_module, _inputs, output):
            features.append(output)
            if channel is not None:
                output = output.clone()
                output[:, 1:, channel] = 0
            return output

        handle = module.register_forward_hook(ablate)
        y = model(images).gather(1, targets[:, None])[:, 0].detach()
        handle.remove()
        return y

    torch.backends.mha.set_fastpath_enabled(False)
    try:
        y = run(None)
        A = features[0].detach()[:, 1:].transpose(1, 2).reshape(len(images), -1, 3, 4)
        weights = torch.stack([(y - run(c)) / y for c in range(A.shape[1])], dim=1)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return (weights[:, :, None, None] * A).sum(dim=1).relu()


@pytest.mark.parametrize("part", ["", ".norm1", ".norm2", ".linear1", ".linear2"])
@pytest.mark.parametrize("block", [0, 1])
def test_ablation_cam_inside_torchs_own_transformer_block(images, block, part):
    model, layer = seeded(Encoder), f"encoder.layers.{block}{part}"
    truth = plain_ablation_cam(model, images, TARGETS, layer)
    assert truth.max() > 0.05
    maps = AblationCAM()(model, images, TARGETS, layer)
    torch.testing.assert_close(maps.double(), truth, rtol=1e-3, atol=1e-4 * float(truth.max()))


def test_every_hook_is_heard_inside_torchs_own_transformer_block(images):
    model, layer = seeded(Encoder), "encoder.layers.1.norm1"
    captured = capture(model, images, TARGETS, layer).activations
    assert captured.std() > 0.1
    torch.testing.assert_close(activations_at(model, images, layer), captured)
    model.get_submodule(layer).bias.data.fill_(0.1)  # without a shift, the sign of Eigen-CAM is undefined
    for method in METHODS[:4]:
        assert method(model, images, TARGETS, layer).abs().amax(dim=(1, 2)).min() > 0


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("context", [observing, untouched])
def test_the_fast_path_is_as_it_was_on_exceptions_too(before, context):
    torch.backends.mha.set_fastpath_enabled(before)
    try:
        with pytest.raises(ZeroDivisionError), context(nn.Identity()):
            1 / torch.backends.mha.get_fastpath_enabled()
        assert torch.backends.mha.get_fastpath_enabled() == before
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


class FastPath(nn.Module):
    """Calls its part only if the part has hooks, as torch's fast path does; from some call on, never."""

    def __init__(self, deaf_from: int) -> None:
        super().__init__()
        self.part, self.calls, self.deaf_from = nn.Conv2d(3, 5, 3, padding=1), 0, deaf_from

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.part._forward_hooks and self.calls < self.deaf_from:
            return self.part(x)
        return nn.functional.conv2d(x, self.part.weight, self.part.bias, padding=1)


class Ignoring(FastPath):
    """Calls its part in any case, but ignores its output if the part has no hooks."""

    def forward(self, x: Tensor) -> Tensor:
        given = self.part(x)
        return given if self.part._forward_hooks else super().forward(x)


@pytest.mark.parametrize("kind", [FastPath, Ignoring])
def test_a_replay_that_skips_the_layer_falls_back_to_a_full_run_with_a_hook(images, kind):
    """The replay has no hooks, so that the model takes its fast path."""
    model = nn.Sequential(kind(99), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))
    truth = copy.deepcopy(model)
    truth[0].forward = truth[0].part.forward
    maps = AblationCAM()(model, images, TARGETS, "0.part")
    assert maps.max() > 0
    torch.testing.assert_close(maps, AblationCAM()(truth, images, TARGETS, "0"))


def test_a_model_that_passes_a_layer_by_in_every_other_run_is_refused(images):
    model = nn.Sequential(FastPath(2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))
    with pytest.raises(ValueError, match=r"'0\.part' ran 0 times when the model ran again.*passes it by"):
        AblationCAM()(model, images, TARGETS, "0.part")


class Late(FastPath):
    """Calls its part until some call, with or without hooks."""

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls < self.deaf_from:
            return self.part(x)
        return nn.functional.conv2d(x, self.part.weight, self.part.bias, padding=1)


def test_every_replay_is_watched_not_only_the_trial(images):
    """The calls are the full run, the check's full run, the check's replay, and the first replay that is used."""
    model = nn.Sequential(Late(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))
    with pytest.raises(ValueError, match="passed a module by when it ran again"):
        AblationCAM()(model, images, TARGETS, "0.part")


class Remembering(nn.Module):
    """Runs its part every time, but continues with the part's first output for this number of images."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.seen = nn.Conv2d(3, 5, 3, padding=1), {}

    def forward(self, x: Tensor) -> Tensor:
        return self.seen.setdefault(len(x), self.part(x))[: len(x)]


class Side(nn.Module):
    """Runs a layer and ignores its output, or multiplies it by zeros."""

    def __init__(self, zero: bool) -> None:
        super().__init__()
        self.main, self.side, self.zero, self.fc = nn.Conv2d(3, 5, 3), nn.Conv2d(3, 5, 3), zero, nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        side = self.side(x)
        y = self.main(x) + 0 * side if self.zero else self.main(x)
        return self.fc(y.mean(dim=(2, 3)))


def test_a_layer_whose_output_is_not_used_is_refused_and_one_that_weighs_nothing_gets_zeros(images):
    with pytest.raises(ValueError, match="logits do not depend on layer 'side': it runs"):
        AblationCAM()(seeded(Side, False), images, TARGETS, "side")
    with pytest.raises(ValueError, match="does not depend on layer 'side'"):
        GradCAM()(seeded(Side, False), images, TARGETS, "side")
    dead = AblationCAM()(seeded(Side, True), images, TARGETS, "side")
    assert dead.shape == (3, 10, 14)
    assert dead.max() < 1e-6, "rounding"


def test_a_replay_that_only_repeats_what_it_was_is_not_taken(images):
    """With its own features it gives its own logits; with changed ones it must give those of a whole run."""
    model = nn.Sequential(Remembering(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))
    with torch.no_grad():
        model(images[:1])
    with pytest.raises(ValueError, match="do not depend on layer"), partial_forwards(model, images, "0.part"):
        pass


def traced_block(block):
    return torch.jit.trace(block, torch.ones(1, 4, 9, 9))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(("fuse", "message"), [(torch.jit.script, "scripted module"), (traced_block, "ran 0 times")])
@pytest.mark.parametrize("method", METHODS[:4], ids=lambda method: type(method).__name__)
def test_no_hook_runs_inside_a_scripted_or_traced_block(images, method, fuse, message):
    plain = seeded(Plain)
    model = copy.deepcopy(plain)
    model.late = fuse(model.late)
    with pytest.raises(ValueError, match=message):
        method(model, images, TARGETS, "late.0")
    torch.testing.assert_close(
        method(model, images, TARGETS, "early"), method(plain, images, TARGETS, "early"), rtol=1e-3, atol=1e-7
    )


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_compiled_blocks_run_as_they_were_written(images, method, warm):
    plain = seeded(Plain)
    truth = method(plain, images, TARGETS, "late.0")
    model = copy.deepcopy(plain)
    model.late.compile(backend="eager")
    if warm:
        with torch.no_grad():
            model(images)
    torch.testing.assert_close(method(model, images, TARGETS, "late.0"), truth)
    with torch.no_grad():
        model(images)
        assert not torch.is_grad_enabled(), "no hook is compiled in"

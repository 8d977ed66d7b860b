"""The invariants themselves: right where the answer is known by hand, and independent of what they check."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.conformance import invariants, recording, reference_implementation
from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Subject, in_float64
from heatmark.benchmarks.conformance.invariants import consult
from heatmark.benchmarks.conformance.recording import Recorded
from heatmark.benchmarks.conformance.side_effects import left_behind
from heatmark.benchmarks.conformance.suite import (
    BRIEFLY,
    Claim,
    alternating,
    check_toys,
    draw_zero_weights,
)
from heatmark.benchmarks.conformance.toy import toy_layer
from heatmark.benchmarks.conformance.where import checked_layers_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.features import TokenLayout
from heatmark.methods.base import Method
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.score_cam import ScoreCAM
from heatmark.methods.xgrad_cam import XGradCAM

METHODS = [GradCAM(), GradCAMPlusPlus(), XGradCAM(), HiResCAM(), LayerCAM()]
A = np.array([[[1.0, 0.0], [2.0, 3.0]], [[0.0, 1.0], [1.0, 0.0]]])
G = np.array([[[0.5, -1.0], [0.0, 1.5]], [[-1.0, 1.0], [-3.0, 1.0]]])


def subject(method: Method, layer: str = "features.5") -> Subject:
    return Subject(toy_layer(layer), "m", method, method)


@pytest.mark.parametrize(
    ("definition", "weights", "raw"),
    [
        (GradCAM(), [0.25, -0.5], [[0.25, -0.5], [0.0, 0.75]]),
        # Σ A = 6: 0.5/(2 + 3) + 1.5/(2 + 9) = 0.1 + 0.1363…;  Σ A = 2: 1/(2 + 2) twice
        (GradCAMPlusPlus(), [0.1 + 1.5 / 11, 0.5], [[0.1 + 1.5 / 11, 0.5], [0.7 + 3 / 11, 0.3 + 4.5 / 11]]),
        (XGradCAM(), [5 / 6, -1.0], [[5 / 6, -1.0], [10 / 6 - 1, 2.5]]),
    ],
)
def test_the_reference_implementation_by_hand(definition: Method, weights: list[float], raw: list[list[float]]) -> None:
    stages = reference_implementation.stages(definition, Recorded(A[None], G[None], np.zeros((1, 2))), (2, 2))
    np.testing.assert_allclose(stages.weights[0], weights, rtol=1e-12)
    np.testing.assert_allclose(stages.raw[0], raw, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(stages.relu[0], np.maximum(raw, 0), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("definition", "relu"),
    [(HiResCAM(), [[0.5, 1.0], [0.0, 4.5]]), (LayerCAM(), [[0.5, 1.0], [0.0, 4.5]])],
)
def test_the_reference_implementation_of_places_by_hand(definition: Method, relu: list[list[float]]) -> None:
    stages = reference_implementation.stages(definition, Recorded(A[None], G[None], np.zeros((1, 2))), (2, 2))
    assert stages.weights is None
    np.testing.assert_allclose(stages.relu[0], relu, rtol=1e-12)


def test_the_reference_implementation_enlarges_as_by_hand() -> None:
    row = reference_implementation.bilinear(np.array([[0.0, 4.0]]), (1, 4))
    np.testing.assert_allclose(row, [[0.0, 1.0, 3.0, 4.0]])  # pixel centres at −¼, ¼, ¾, 1¼


@pytest.mark.parametrize("size", [(7, 11), (2, 3), (20, 5)])
def test_the_reference_implementation_enlarges_as_torch_does(size: tuple[int, int]) -> None:
    values = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theirs = F.interpolate(values[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(reference_implementation.bilinear(values.numpy(), size), theirs, atol=1e-14)


def test_the_reference_implementation_records_before_an_in_place_successor_writes() -> None:
    checked = toy_layer("features.4")
    with torch.no_grad():
        before = checked.module.features[:5](checked.images)
    np.testing.assert_array_equal(checked.recorded.activations, before)
    assert (checked.recorded.activations < 0).any()


def test_gradients_before_a_linear_head_are_its_weights() -> None:
    checked = toy_layer("features.5")
    places = checked.recorded.gradients[0, 0].size
    expected = checked.module.fc.weight.detach()[checked.targets] / places
    np.testing.assert_allclose(checked.recorded.gradients.max(axis=(2, 3)), expected, rtol=1e-12)
    np.testing.assert_allclose(checked.recorded.gradients.min(axis=(2, 3)), expected, rtol=1e-12)


class Tokens(nn.Module):
    """Patches, a class token before them; each logit is one token's one feature."""

    token_layout = TokenLayout(class_tokens=1)

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 4, 4, stride=4)
        self.norm = nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.norm(torch.cat([tokens[:, :1], tokens], dim=1))
        return torch.stack([tokens[:, 1, 0], tokens[:, 2, 1] ** 2, tokens[:, 5, 2] ** 2], dim=1)


def test_tokens_lie_on_the_image_row_by_row() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 8, 16, dtype=torch.float64)
    checked = CheckedLayer("tokens", Tokens().double(), "norm", images, torch.tensor([1, 2]))
    G = checked.recorded.gradients
    assert G.shape == (2, 4, 2, 4)
    assert [tuple(map(int, place)) for place in np.argwhere(G)] == [(0, 1, 0, 1), (1, 2, 1, 0)]
    assert [f.verdict for f in consult(Subject(checked, "m", HiResCAM(), HiResCAM())) if f.fault] == []


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_invariants_that_apply_are_checked_and_others_say_why_not(method: Method) -> None:
    findings = {f.check: f for f in consult(subject(method))}
    assert findings.keys() == {
        "reference_implementation", "in_house", "finite_differences", "gap_linear_identity", "logit_scaling",
        "translation",
        "batch_invariance", "order_invariance", "device_invariance", "nothing_left_behind",
        "nothing_left_behind_by_an_exception",
    }  # fmt: skip
    assert all(f.note for f in findings.values() if f.verdict == "skipped")
    exact = isinstance(method, GradCAM | XGradCAM | HiResCAM)
    assert findings["gap_linear_identity"].verdict == ("agrees" if exact else "skipped")
    assert findings["reference_implementation"].stage == "normalised"
    assert not any(f.fault for f in findings.values())


def test_an_invariant_that_a_true_method_breaks_would_be_none() -> None:
    """Grad-CAM at a layer before other convolutions is no CAM: the identity is not claimed there."""
    assert invariants.gap_linear_identity(subject(GradCAM(), "features.4")).verdict == "skipped"


def test_slopes_see_no_kink_that_lies_within_a_large_step() -> None:
    net = nn.Sequential(nn.Identity(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2)).double()
    image = torch.tensor([[[[1.0, -1.0], [1e-7, -1e-7]]]], dtype=torch.float64)
    target = torch.tensor([1])
    found = recording.slopes(net, "0", image, target)
    gradients = recording.record(net, "0", image, target).gradients
    np.testing.assert_allclose(found.rises, (found.directions * gradients).sum(axis=(2, 3, 4)), rtol=1e-6)


def test_finite_differences_leave_the_class_token_alone() -> None:
    """What it does to the logit is in no map's gradient."""
    classifier: Classifier = build(compose_command("sweep", ["model=shapes_vit"]).model, "model")
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    (checked,), _ = checked_layers_of(classifier, in_float64(classifier.module), "blocks.2.ln_1", images, [(128, 128)])
    finding = invariants.finite_differences(Subject(checked, "grad_cam", GradCAM(), GradCAM()))
    assert finding.verdict == "agrees"
    assert finding.relative < 1e-6


def test_finite_differences_see_a_gradient_of_another_thing() -> None:
    s = subject(GradCAM())
    other = Subject(s.checked, "m", GradCAM(), GradCAM())
    wrong = other.explain(s.checked.images, (s.checked.targets + 1) % 5)
    other.__dict__["stages"] = wrong
    finding = invariants.finite_differences(other)
    assert finding.fault
    assert finding.stage == "gradients"
    assert finding.relative > 0.1


def test_another_device_leaves_the_network_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "second_device", lambda: torch.device("cpu"))
    s = subject(GradCAM())
    before = {name: value.clone() for name, value in s.checked.module.state_dict().items()}
    finding = invariants.device_invariance(s)
    assert (finding.verdict, finding.tolerance) == ("agrees", 1e-3)
    after = s.checked.module.state_dict()
    assert {name: value.dtype for name, value in after.items()} == {n: v.dtype for n, v in before.items()}
    assert all(torch.equal(value, before[name]) for name, value in after.items())


@pytest.mark.parametrize("name", BRIEFLY)
def test_methods_of_many_passes_keep_the_invariants_on_the_toy(name: str) -> None:
    found = list(check_toys([Claim(name, BRIEFLY[name], BRIEFLY[name])]))
    agreed = [f.check for f in found if f.verdict == "agrees"]
    invariants = ("batch_invariance", "order_invariance", "nothing_left_behind", "nothing_left_behind_by_an_exception")
    assert all(agreed.count(invariant) == 2 for invariant in invariants)
    assert {f.verdict for f in found} == {"agrees", "skipped"}


def test_score_cam_scored_by_the_batch_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ScoreCAM.__call__
    monkeypatch.setattr(ScoreCAM, "__call__", lambda *arguments: (maps := right(*arguments)) / maps.amax())
    red = {f.check for f in check_toys([Claim("score_cam", ScoreCAM(), ScoreCAM())]) if f.fault}
    assert "batch_invariance" in red


def test_a_method_that_raises_is_a_finding_and_the_others_go_on() -> None:
    class Broken(Method):
        def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            raise KeyError("nobody home")

    findings = list(consult(subject(Broken())))
    assert len(findings) == 11
    assert {f.note for f in findings if f.verdict == "error"} == {"KeyError: 'nobody home'"}


def test_a_method_without_stages_is_held_by_its_map_alone() -> None:
    @dataclass(frozen=True)
    class Opaque(Method):
        inner: Method = GradCAM()  # noqa: RUF009 - it is frozen

        def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            return self.inner(model, images, targets, layer)

    right = list(check_toys([Claim("mine", Opaque(), GradCAM())]))
    assert not any(f.fault for f in right)
    assert {f.verdict for f in right if f.check == "finite_differences"} == {"skipped"}
    wrong = list(check_toys([Claim("mine", Opaque(HiResCAM()), GradCAM())]))
    assert {(f.layer, f.check, f.stage) for f in wrong if f.fault and f.check == "in_house"} == {
        ("features.4", "in_house", "relu")
    }  # at features.5 the two are the same


def test_left_behind_sees_what_it_should_and_nothing_else() -> None:
    checked = toy_layer("features.5")
    inputs = (checked.images, checked.targets)
    assert left_behind(checked.module, inputs, lambda: None) == []
    assert left_behind(checked.module, inputs, lambda: checked.images.add_(1)) == ["values of input 0"]
    assert left_behind(checked.module, inputs, lambda: np.random.rand()) == ["random state of NumPy"]
    changed = left_behind(checked.module, inputs, lambda: checked.module.features[1].running_mean.add_(1))
    assert changed == ["values of features.1.running_mean"]
    planted = left_behind(checked.module, inputs, lambda: setattr(checked.module, "saved", checked.images))
    assert planted == ["attributes of the network"]
    assert not hasattr(checked.module, "saved")


def test_targets_alternate_between_the_two_largest_logits() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [5.0, 0.0, 0.0]])
    assert alternating(logits).tolist() == [1, 2, 0]


def test_a_head_that_begins_at_zero_is_given_weights_and_others_keep_theirs() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    nn.init.zeros_(model[1].weight)
    first, bias = model[0].weight.clone(), nn.init.zeros_(model[1].bias)
    draw_zero_weights(model, 0)
    assert model[1].weight.abs().min() > 0
    assert torch.equal(model[0].weight, first)
    assert not bias.any()

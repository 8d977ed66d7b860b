"""Faults planted one at a time in a method: the check turns red at each, and names its stage."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from heatmark.benchmarks.conformance import checked_layer, profiles
from heatmark.benchmarks.conformance.checked_layer import Subject
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import consult
from heatmark.benchmarks.conformance.toy import toy_layer
from heatmark.common import model_state, resize
from heatmark.common.features import FeatureLayout
from heatmark.methods.base import Method
from heatmark.methods.engine import cam, capture, stages
from heatmark.methods.engine.capture import Capture
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus

Plant = Callable[[pytest.MonkeyPatch], None]
OVERWRITTEN, LAST = "features.4", "features.5"


def check(method: Method, layer: str) -> list[Finding]:
    """Return all that the invariants say of a method on a network with in-place ReLUs."""
    return list(consult(Subject(toy_layer(layer), type(method).__name__, method, method)))


def red(findings: list[Finding]) -> list[Finding]:
    return [f for f in findings if f.fault or f.verdict == "error"]


# ---- planted into the CAMs


def no_relu(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        cam.WeightedCAM, "relevance", lambda self, c: cam.weighted_sum(self.channel_weights(c), c.activations)
    )


def absolute_for_relu(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        cam.WeightedCAM, "relevance", lambda self, c: cam.weighted_sum(self.channel_weights(c), c.activations).abs()
    )


def mean_over_channels(patch: pytest.MonkeyPatch) -> None:
    for module in (cam, stages):
        patch.setattr(module, "weighted_sum", lambda w, A: torch.einsum("nc,nchw->nhw", w, A) / A.shape[1])


def sum_for_mean(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GradCAM, "channel_weights", lambda self, c: c.gradients.sum(dim=(2, 3)))


def weights_of_the_batch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        GradCAM, "channel_weights", lambda self, c: c.gradients.mean(dim=(0, 2, 3)).expand(c.gradients.shape[:2])
    )


def relu_before_the_mean(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GradCAM, "channel_weights", lambda self, c: c.gradients.relu().mean(dim=(2, 3)))


def alpha_without_denominator(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GradCAMPlusPlus, "channel_weights", lambda self, c: c.gradients.relu().pow(3).sum(dim=(2, 3)))


def alpha_without_activations(patch: pytest.MonkeyPatch) -> None:
    def weights(self: GradCAMPlusPlus, c: Capture) -> Tensor:
        g = c.gradients
        return (g.relu() * g**2 / (2 * g**2 + g**3)).nan_to_num().sum(dim=(2, 3))

    patch.setattr(GradCAMPlusPlus, "channel_weights", weights)


def alpha_with_the_mean_of_activations(patch: pytest.MonkeyPatch) -> None:
    def weights(self: GradCAMPlusPlus, c: Capture) -> Tensor:
        g = c.gradients
        return torch.where(g <= 0, 0.0, g / (2 + g * c.activations.mean(dim=(2, 3), keepdim=True))).sum(dim=(2, 3))

    patch.setattr(GradCAMPlusPlus, "channel_weights", weights)


# ---- planted into capture


def captured(patch: pytest.MonkeyPatch, change: Callable[[Capture], Capture]) -> None:
    ours = capture.capture
    for module in (cam, stages, checked_layer):
        patch.setattr(module, "capture", lambda *args: change(ours(*args)))


def softmax_for_logit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(capture, "target_logits", lambda logits, t: logits.softmax(1).gather(1, t[:, None])[:, 0])


def wrong_class(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(capture, "target_logits", lambda logits, t: logits.gather(1, (t[:, None] + 1) % 5)[:, 0])


def first_target_for_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(capture, "target_logits", lambda logits, t: logits[:, t[0]])


def gradients_normalised_across_the_batch(patch: pytest.MonkeyPatch) -> None:
    captured(patch, lambda c: replace(c, gradients=c.gradients / c.gradients.norm()))


def mean_loss_over_the_batch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(capture, "target_logits", lambda logits, t: logits.gather(1, t[:, None])[:, 0] / len(t))


def next_layer(patch: pytest.MonkeyPatch) -> None:
    ours = capture.capture
    for module in (cam, stages, checked_layer):
        patch.setattr(module, "capture", lambda model, x, t, _layer: ours(model, x, t, "features.5"))


def no_clone(patch: pytest.MonkeyPatch) -> None:
    """Keep the layer's own output, as pytorch-grad-cam does on a CPU."""
    ours = capture.capture

    def keep(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Capture:
        kept: list[Tensor] = []
        handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: kept.append(output))
        with torch.no_grad(), model_state.evaluating(model):
            model(images)
        handle.remove()
        return replace(ours(model, images, targets, layer), activations=kept[0])

    for module in (cam, stages, checked_layer):
        patch.setattr(module, "capture", keep)


def height_for_width(patch: pytest.MonkeyPatch) -> None:
    ours = FeatureLayout.maps
    patch.setattr(FeatureLayout, "maps", lambda self, features: ours(self, features).transpose(2, 3))


def running_in_training_mode(patch: pytest.MonkeyPatch) -> None:
    ours = model_state.evaluating

    def training(model: nn.Module):
        context = ours(model)
        enter = context.__enter__

        def enter_and_train() -> None:
            enter()
            model.train()

        return SimpleContext(enter_and_train, context.__exit__)

    patch.setattr(model_state, "evaluating", training)


class SimpleContext:
    """A context of two functions."""

    def __init__(self, enter: Callable[[], None], leave: Callable[..., object]) -> None:
        self.enter, self.leave = enter, leave

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *error: object) -> None:
        self.leave(*error)


# ---- planted into the resizing and the normalisation


def resized_with(patch: pytest.MonkeyPatch, **options: object) -> None:
    def interpolate(maps: Tensor, size: tuple[int, int], **_ours: object) -> Tensor:
        return F.interpolate(maps, size=size, **options)

    patch.setattr(resize, "F", SimpleNamespace(interpolate=interpolate))


def align_corners(patch: pytest.MonkeyPatch) -> None:
    resized_with(patch, mode="bilinear", align_corners=True)


def nearest(patch: pytest.MonkeyPatch) -> None:
    resized_with(patch, mode="nearest")


def bicubic(patch: pytest.MonkeyPatch) -> None:
    resized_with(patch, mode="bicubic", align_corners=False)


def max_for_min_max(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(profiles, "min_max", lambda maps, eps=0.0: maps / maps.amax(dim=(1, 2), keepdim=True))


def normalised_across_the_batch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(profiles, "min_max", lambda maps, eps=0.0: (maps - maps.min()) / (maps.max() - maps.min()))


FAULTS: list[tuple[Plant, Method, str, str]] = [
    (no_relu, GradCAM(), LAST, "relu"),
    (no_relu, GradCAMPlusPlus(), OVERWRITTEN, "relu"),
    (absolute_for_relu, GradCAM(), LAST, "relu"),
    (mean_over_channels, GradCAM(), LAST, "raw"),
    (sum_for_mean, GradCAM(), LAST, "weights"),
    (weights_of_the_batch, GradCAM(), LAST, "weights"),
    (relu_before_the_mean, GradCAM(), OVERWRITTEN, "weights"),
    (alpha_without_denominator, GradCAMPlusPlus(), LAST, "weights"),
    (alpha_without_activations, GradCAMPlusPlus(), LAST, "weights"),
    (alpha_with_the_mean_of_activations, GradCAMPlusPlus(), LAST, "weights"),
    (softmax_for_logit, GradCAM(), LAST, "gradients"),
    (wrong_class, GradCAM(), LAST, "gradients"),
    (first_target_for_all, GradCAM(), LAST, "gradients"),
    (gradients_normalised_across_the_batch, GradCAM(), LAST, "gradients"),
    (mean_loss_over_the_batch, GradCAM(), LAST, "gradients"),
    (next_layer, GradCAM(), OVERWRITTEN, "activations"),
    (no_clone, GradCAM(), OVERWRITTEN, "activations"),
    (no_clone, GradCAMPlusPlus(), OVERWRITTEN, "activations"),
    (height_for_width, GradCAM(), LAST, "activations"),
    (running_in_training_mode, GradCAM(), LAST, "activations"),
    (align_corners, GradCAM(), LAST, "resized"),
    (nearest, GradCAM(), LAST, "resized"),
    (bicubic, GradCAM(), LAST, "resized"),
    (max_for_min_max, GradCAM(), LAST, "normalised"),
    (normalised_across_the_batch, GradCAM(), LAST, "normalised"),
]


@pytest.mark.parametrize("layer", [OVERWRITTEN, LAST])
@pytest.mark.parametrize("method", [GradCAM(), GradCAMPlusPlus()], ids=["grad_cam", "grad_cam_pp"])
def test_without_a_fault_all_is_green(method: Method, layer: str) -> None:
    findings = check(method, layer)
    assert red(findings) == []
    assert [f.verdict for f in findings].count("agrees") >= 6


@pytest.mark.parametrize(("plant", "method", "layer", "stage"), FAULTS, ids=lambda v: getattr(v, "__name__", None))
def test_a_planted_fault_is_caught_at_its_stage(
    plant: Plant, method: Method, layer: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    found = red(check(method, layer))
    assert found, "the check stayed green"
    assert (found[0].check, found[0].stage) == ("reference_implementation", stage)
    assert found[0].verdict == "diverges"


# ---- planted into what is left behind


class LeavesAHook(GradCAM):
    """A fault: the hook is never removed."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        model.get_submodule(layer).register_forward_hook(lambda _m, _i, _o: None)
        return super().__call__(model, images, targets, layer)


class LeavesTrainingOn(GradCAM):
    """A fault: parts of the network are in training mode afterwards."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        maps = super().__call__(model, images, targets, layer)
        model.train()
        return maps


class LeavesEvalOn(GradCAM):
    """A fault: the network that was in training mode is not, as after pytorch-grad-cam."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return super().__call__(model.eval(), images, targets, layer)


class LeavesGradients(GradCAM):
    """A fault: ``backward`` adds to the parameters' gradients."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        with torch.enable_grad():
            model(images).gather(1, targets[:, None]).sum().backward()
        return super().__call__(model, images, targets, layer)


class MovesTheRandomState(GradCAM):
    """A fault: it draws from the global generator."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        torch.rand(1)
        return super().__call__(model, images, targets, layer)


class LeavesAHookWhenInterrupted(GradCAM):
    """A fault: the hook is removed only where nothing goes wrong."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, _o: None)
        maps = super().__call__(model, images, targets, layer)
        handle.remove()
        return maps


@pytest.mark.parametrize(
    ("faulty", "invariant", "what"),
    [
        (LeavesAHook, "nothing_left_behind", "forward hooks of features.5"),
        (LeavesTrainingOn, "nothing_left_behind", "training flag of features.1"),
        (LeavesEvalOn, "nothing_left_behind", "training flag of the network"),
        (LeavesGradients, "nothing_left_behind", "grad of fc.weight"),
        (MovesTheRandomState, "nothing_left_behind", "random state of torch"),
        (LeavesAHookWhenInterrupted, "nothing_left_behind_by_an_exception", "forward hooks of features.5"),
    ],
)
def test_what_is_left_behind_is_named(faulty: type[GradCAM], invariant: str, what: str) -> None:
    subject = Subject(toy_layer(LAST), faulty.__name__, faulty(), GradCAM())
    findings = {f.check: f for f in consult(subject)}
    assert findings[invariant].fault
    assert what in findings[invariant].note
    others = {f.check for f in red(list(findings.values()))} - {invariant}
    assert others <= {"nothing_left_behind_by_an_exception"}


def test_the_check_itself_leaves_nothing_behind_even_of_a_method_that_does() -> None:
    checked = toy_layer(LAST)
    list(consult(Subject(checked, "leaves_a_hook", LeavesAHook(), GradCAM())))
    assert [m for m in checked.module.modules() if m.training] == []
    assert all(p.grad is None for p in checked.module.parameters())


def test_faults_of_one_image_pass_nothing_but_the_batch_invariants_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that shows no stages is still caught, by invariants that need none."""

    class Opaque(Method):
        def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            maps = GradCAM()(model, images, targets, layer)
            return maps / maps.amax()

    found = red(list(consult(Subject(toy_layer(LAST), "opaque", Opaque(), GradCAM()))))
    assert {f.check for f in found} >= {
        "reference_implementation",
        "batch_invariance",
        "logit_scaling",
        "gap_linear_identity",
    }
    assert found[0].stage == "relu"

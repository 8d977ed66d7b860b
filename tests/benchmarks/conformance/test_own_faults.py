"""A fault of our own counts as ours, even where the library has a fault too that a known cause undoes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from heatmark.benchmarks.conformance import reference_libraries
from heatmark.benchmarks.conformance.causes import Evidence, explain
from heatmark.benchmarks.conformance.compare import tolerances
from heatmark.benchmarks.conformance.experiments import second_dimension
from heatmark.benchmarks.conformance.known import KNOWN
from heatmark.benchmarks.conformance.reference_libraries import PAIRS, compare_with_reference_libraries
from heatmark.benchmarks.conformance.report import is_red
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.base import Method
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.cam import weighted_sum
from heatmark.methods.engine.capture import Capture, activations_at
from heatmark.methods.external import stages_torchcam
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.score_cam import ScoreCAM
from heatmark.methods.xgrad_cam import XGradCAM

TOLERANCE = tolerances(torch.float32)
BEFORE_RELU, AFTER_RELU = "3", "4"
Fault = tuple[str, Callable[..., Tensor]]
"""What of a method is replaced, by what."""


def weights(change: Callable[[Capture], Tensor]) -> Fault:
    return "channel_weights", lambda _self, c: change(c)


def map_of(change: Callable[[Tensor], Tensor]) -> Fault:
    return "relevance", lambda self, c: change(weighted_sum(self.channel_weights(c), c.activations))


def call(change: Callable[..., Tensor]) -> Fault:
    return "__call__", lambda _self, *arguments: change(*arguments)


def undefined(c: Capture) -> Tensor:
    return c.gradients.mean(dim=(2, 3)) * torch.nan


def random_maps(model, images: Tensor, _targets: Tensor, layer: str) -> Tensor:
    return torch.rand_like(activations_at(model, images, layer)[:, 0])


def one_undefined(ours: type[Method]) -> Fault:
    right = ours.__call__

    def spoilt(self: Method, *arguments: object) -> Tensor:
        maps = right(self, *arguments)
        maps[0, 0, 0] = torch.nan
        return maps

    return "__call__", spoilt


def times(ours: type[Method], factor: float) -> Fault:
    right = ours.__call__
    return "__call__", lambda self, *arguments: factor * right(self, *arguments)


UNRELUD = map_of(lambda raw: -3 * raw)
FAULTS = [
    (GradCAMPlusPlus, "pytorch_grad_cam", "vgg_like", weights(lambda c: c.gradients.relu().sum(dim=(2, 3)))),
    (GradCAMPlusPlus, "pytorch_grad_cam", "vgg_like", weights(undefined)),
    (GradCAMPlusPlus, "pytorch_grad_cam", "vgg_like", UNRELUD),
    (GradCAMPlusPlus, "torchcam", "vgg_like", weights(undefined)),
    (GradCAMPlusPlus, "torchcam", "vgg_like", weights(lambda c: 2 * c.gradients.relu().pow(3).sum(dim=(2, 3)))),
    (GradCAMPlusPlus, "torchcam", "vgg_like", UNRELUD),
    (EigenCAM, "pytorch_grad_cam", "vgg_like", call(random_maps)),
    (EigenCAM, "pytorch_grad_cam", "vgg_like", times(EigenCAM, -1)),
    (EigenCAM, "pytorch_grad_cam", "vgg_like", one_undefined(EigenCAM)),
    (ScoreCAM, "pytorch_grad_cam", "vgg_like", call(random_maps)),
    (ScoreCAM, "pytorch_grad_cam", "vgg_like", times(ScoreCAM, 1.01)),
    (ScoreCAM, "pytorch_grad_cam", "vgg_like", one_undefined(ScoreCAM)),
    (AblationCAM, "pytorch_grad_cam", "tokens", call(random_maps)),
    (AblationCAM, "pytorch_grad_cam", "tokens", times(AblationCAM, 1.01)),
    (AblationCAM, "pytorch_grad_cam", "tokens", one_undefined(AblationCAM)),
    (GradCAM, "captum", "tokens", weights(lambda c: c.gradients.amax(dim=(2, 3)))),
    (GradCAM, "captum", "tokens", weights(undefined)),
    (GradCAM, "captum", "tokens", UNRELUD),
    (GradCAM, "captum", "vgg_like", weights(lambda c: c.gradients.amax(dim=(2, 3)))),
    (GradCAM, "captum", "vgg_like", weights(undefined)),
    (GradCAM, "captum", "vgg_like", UNRELUD),
]
NAMES = {
    GradCAM: "grad_cam", GradCAMPlusPlus: "grad_cam_pp", XGradCAM: "xgrad_cam", EigenCAM: "eigen_cam",
    ScoreCAM: "score_cam", AblationCAM: "ablation_cam",
}  # fmt: skip
LAYERS = {"vgg_like": AFTER_RELU, "tokens": "norm"}


@pytest.fixture
def targets() -> Tensor:
    """Return classes for which some channel of the small network speaks: of others Score-CAM is 0 everywhere."""
    return torch.tensor([3, 2])


@pytest.mark.parametrize(("ours", "library", "kind", "fault"), FAULTS)
def test_what_a_cause_would_replace_is_first_held_to_the_paper(
    evidence, build, monkeypatch, ours: type[Method], library: str, kind: str, fault: Fault
) -> None:
    if library == "torchcam" and not stages_torchcam.installed():
        pytest.skip("torch-cam is not installed")
    layer = "patches" if ours is AblationCAM else LAYERS[kind]
    right = explain(evidence(NAMES[ours], library, layer, build(kind)), KNOWN, TOLERANCE)
    assert right.rest.agrees
    monkeypatch.setattr(ours, *fault)
    found = explain(evidence(NAMES[ours], library, layer, build(kind)), KNOWN, TOLERANCE)
    assert found.name == "unexplained"


@pytest.mark.parametrize(("kind", "applies"), [("vgg_like", False), ("tokens", True)])
def test_channels_in_the_second_dimension_are_no_tokens(evidence, build, kind: str, applies: bool) -> None:
    e = evidence("grad_cam", "captum", LAYERS[kind], build(kind))
    assert len(list(second_dimension(e))) == applies


@pytest.mark.parametrize("fault", [weights(undefined), weights(lambda c: 2 * c.gradients.mean(dim=(2, 3))), UNRELUD])
def test_an_epsilon_of_xgrad_cam_excuses_nothing_else(evidence, build, monkeypatch, fault: Fault) -> None:
    model = build()
    model[4].inplace = False
    with torch.no_grad():
        model[3].weight *= 1e-5
        model[3].bias.zero_()
    right = explain(evidence("xgrad_cam", "pytorch_grad_cam", BEFORE_RELU, model), KNOWN, TOLERANCE)
    assert right.name == "xgrad_cam_epsilon"
    monkeypatch.setattr(XGradCAM, *fault)
    found = explain(evidence("xgrad_cam", "pytorch_grad_cam", BEFORE_RELU, model), KNOWN, TOLERANCE)
    assert found.name == "unexplained"


@pytest.mark.parametrize("fault", [{"relu": -1.0}, {"weights": torch.nan}, {"raw": 3.0}])
def test_activations_that_cancel_excuse_nothing_else(evidence, fault: dict[str, float]) -> None:
    e = cancelling(evidence("xgrad_cam", "pytorch_grad_cam", AFTER_RELU))
    assert explain(e, KNOWN, TOLERANCE).name == "cancelling_activations"
    wrong = replace(e, ours=replace(e.ours, **{stage: by * getattr(e.ours, stage) for stage, by in fault.items()}))
    assert explain(wrong, KNOWN, TOLERANCE).name == "unexplained"


def cancelling(e: Evidence) -> Evidence:
    """XGrad-CAM where ΣA is nearly 0: ours in float32, theirs in float64."""
    draw = torch.Generator().manual_seed(0)
    A = torch.randn(2, 8, 16, 16, generator=draw)
    A -= A.mean(dim=(2, 3), keepdim=True)
    G = torch.randn(2, 8, 16, 16, generator=draw)

    def stages(A: Tensor, G: Tensor):
        w = (A * G).sum(dim=(2, 3)) / A.sum(dim=(2, 3))
        raw = weighted_sum(w, A)
        return replace(e.ours, weights=w.float(), raw=raw.float(), relu=raw.relu().float())

    plain = {"activations": A, "gradients": G, "resized": None, "normalised": None}
    ours, theirs = (replace(stages(A.to(t), G.to(t)), **plain) for t in (torch.float32, torch.float64))
    return replace(e, ours=ours, theirs=theirs, shown=lambda s: s, library=lambda *_: theirs)


@pytest.mark.parametrize(("ours", "method"), [(ScoreCAM, "score_cam"), (AblationCAM, "ablation_cam")])
def test_a_wrong_perturbation_cam_turns_the_librarys_row_red(
    build, images, targets, monkeypatch, ours: type[Method], method: str
) -> None:
    monkeypatch.setattr(
        reference_libraries, "PAIRS", tuple(pair for pair in PAIRS if pair.name in ("grad_cam", method))
    )
    model = build()
    model[4].inplace = False

    def row():
        classifier = Classifier("net", model, "random-0", Preprocessing())
        found = compare_with_reference_libraries(classifier, images, targets, BEFORE_RELU)
        return next(f for f in found if f.method == method)

    assert not is_red(row())
    monkeypatch.setattr(ours, "__call__", random_maps_of)
    wrong = row()
    assert is_red(wrong)
    assert (wrong.verdict, wrong.cause, wrong.fault) == ("diverges", "unexplained", True)


def random_maps_of(_self: Method, *arguments) -> Tensor:
    return random_maps(*arguments)

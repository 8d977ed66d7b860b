"""Comparison of our methods with reference libraries, stage by stage, at one layer of one model."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance import profiles
from heatmark.benchmarks.conformance.causes import Evidence, Explanation, StagesOfLibrary, explain
from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Subject, in_float64, pixels
from heatmark.benchmarks.conformance.compare import Difference, difference, tolerances
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import matches_reference_implementation
from heatmark.benchmarks.conformance.known import KNOWN
from heatmark.benchmarks.conformance.recording import activations_of
from heatmark.benchmarks.conformance.references import too_dear
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.features import find_layer
from heatmark.common.model_state import untouched
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.base import Method
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.capture import Capture, activations_at, capture
from heatmark.methods.engine.stages import Stages, stages_from
from heatmark.methods.external import pgc
from heatmark.methods.external.stages import PytorchGradCAMStages, guided_backprop
from heatmark.methods.external.stages_captum import layer_grad_cam
from heatmark.methods.external.stages_torchcam import TorchCAMStages, installed
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.score_cam import ScoreCAM
from heatmark.methods.xgrad_cam import XGradCAM


@dataclass(frozen=True)
class Library:
    """The conventions of a library: its name in the table, its resizing, and its final output from a raw map."""

    name: str
    resize: profiles.Resize
    profile: profiles.Profile

    def shown(self, stages: Stages, size: profiles.Size) -> Stages:
        """Return stages with ``resized`` and ``normalised`` as the library makes them."""
        return profiles.shown(stages, size, self.resize, self.profile)


@dataclass(frozen=True)
class Pair:
    """One of our methods and a library's implementation of it."""

    name: str
    ours: Method
    library: Library
    theirs: StagesOfLibrary


PYTORCH_GRAD_CAM = Library("pytorch_grad_cam", profiles.resized, profiles.pytorch_grad_cam)
CAPTUM = Library("captum", profiles.nearest, profiles.captum)
TORCHCAM = Library("torchcam", profiles.unchanged, profiles.torchcam)

PAIRS = (
    *(
        Pair(name, ours, PYTORCH_GRAD_CAM, PytorchGradCAMStages(theirs))
        for name, ours, theirs in (
            ("grad_cam", GradCAM(), pgc.PytorchGradCAM("GradCAM")),
            ("grad_cam_pp", GradCAMPlusPlus(), pgc.PytorchGradCAM("GradCAMPlusPlus")),
            ("xgrad_cam", XGradCAM(), pgc.PytorchGradCAM("XGradCAM")),
            ("hires_cam", HiResCAM(), pgc.PytorchGradCAM("HiResCAM")),
            ("layer_cam", LayerCAM(), pgc.PytorchGradCAM("LayerCAM")),
            ("eigen_cam", EigenCAM(), pgc.PytorchGradCAM("EigenCAM")),
            ("score_cam", ScoreCAM(), pgc.ScoreCAM()),
            ("ablation_cam", AblationCAM(), pgc.AblationCAM()),
        )
    ),
    Pair("grad_cam", GradCAM(), CAPTUM, layer_grad_cam),
    *(
        Pair(name, ours, TORCHCAM, TorchCAMStages(theirs))
        for name, ours, theirs in (
            ("grad_cam", GradCAM(), "GradCAM"),
            ("grad_cam_pp", GradCAMPlusPlus(), "GradCAMpp"),
            ("xgrad_cam", XGradCAM(), "XGradCAM"),
            ("layer_cam", LayerCAM(), "LayerCAM"),
        )
    ),
)


@dataclass(frozen=True)
class Bench:
    """One layer of one model, with images, and the activations and gradients there."""

    classifier: Classifier
    images: Tensor
    targets: Tensor
    layer: str
    capture: Capture
    checked: CheckedLayer

    @property
    def size(self) -> profiles.Size:
        """Height and width of the images."""
        return self.images.shape[2], self.images.shape[3]

    def ours(self, method: Method) -> Stages:
        """Return our method's stages up to ``relu``, from the one capture where that is all it needs."""
        if isinstance(method, GradientCAM):
            return stages_from(method, self.capture)
        model = self.classifier.module
        maps = method(model, self.images, self.targets, self.layer)
        activations = activations_at(model, self.images, self.layer)
        return Stages(activations, raw=maps if isinstance(method, EigenCAM) else None, relu=maps.relu())

    @cached_property
    def recorded(self) -> Tensor:
        """The layer's activations on these images, recorded without the code of our methods."""
        return torch.from_numpy(activations_of(self.classifier.module, self.layer, self.images))

    def is_right(self, method: Method, activations: Tensor) -> bool:
        """Say whether our method is right in float64, and its activations here are the layer's output."""
        tolerance = tolerances(self.images.dtype)["activations"]
        if not difference("activations", activations, self.recorded, tolerance).agrees:
            return False
        return matches_reference_implementation(Subject(self.checked, "", method, method)).verdict == "agrees"


def compare_with_reference_libraries(
    classifier: Classifier, images: Tensor, targets: Tensor, layer: str, checked: CheckedLayer | None = None
) -> Iterator[Finding]:
    """Yield one finding per pair of our method and a library's: where the two first differ, by how much and why.

    Args:
        classifier: the model; it is left as it was.
        images: (N, 3, H, W); two are enough.
        targets: (N,).
        layer: dotted name of a layer that gives a map.
        checked: the same layer in float64, at which ours is compared with the reference implementation before a
            difference counts as the library's; its images may be smaller. None takes these images.

    Raises:
        ValueError: where the layer is unknown or gives no map.
    """
    bench = bench_of(classifier, images, targets, layer, checked)
    for pair in PAIRS:
        yield _finding(bench, pair)
    if any(isinstance(module, nn.ReLU) for module in classifier.module.modules()):
        yield _order(bench)


def bench_of(
    classifier: Classifier, images: Tensor, targets: Tensor, layer: str, checked: CheckedLayer | None = None
) -> Bench:
    """Return what all pairs have in common; the arguments are those of :func:`compare_with_reference_libraries`."""
    if checked is None:
        checked = CheckedLayer(classifier.name, in_float64(classifier.module), layer, images.double(), targets)
    return Bench(classifier, images, targets, layer, capture(classifier.module, images, targets, layer), checked)


def _finding(bench: Bench, pair: Pair) -> Finding:
    finding = partial(
        Finding, bench.classifier.name, bench.layer, pair.name, pair.library.name, size=pixels(bench.size)
    )
    if reason := _skipped(bench, pair):
        return finding(stage="", verdict="skipped", note=reason)
    tolerance = tolerances(bench.images.dtype)
    try:
        evidence = gather(bench, pair)
        explanation = explain(evidence, KNOWN, tolerance)
    except (ValueError, RuntimeError, TypeError, IndexError, AttributeError) as error:
        return finding(stage="", verdict="error", note=f"{type(error).__name__}: {error}")
    return _row(finding, explanation, _final_difference(evidence))


def gather(bench: Bench, pair: Pair) -> Evidence:
    """Return the stages of both sides of a pair, ours displayed by the library's conventions."""

    def shown(stages: Stages) -> Stages:
        return pair.library.shown(stages, bench.size)

    model, images, targets, layer = bench.classifier.module, bench.images, bench.targets, bench.layer
    ours = shown(bench.ours(pair.ours).cpu())
    theirs = pair.theirs(model, images, targets, layer)

    @cache
    def is_right() -> bool:
        return ours.activations is not None and bench.is_right(pair.ours, ours.activations)

    return Evidence(pair.ours, ours, theirs, shown, pair.theirs, model, images, targets, layer, is_right)


def _skipped(bench: Bench, pair: Pair) -> str:
    """Return why a pair is not run, ``""`` where it is."""
    if pair.library is TORCHCAM and not installed():
        return "torch-cam is not installed; pip install 'heatmark[torchcam]'"
    return too_dear(pair.ours, bench.classifier.module, bench.capture.activations.shape[1], bench.size)


def _row(finding: "partial[Finding]", explanation: Explanation, final: Difference) -> Finding:
    """Return an explanation as a finding; an unexplained difference counts as our fault."""
    first = explanation.first
    row = partial(
        finding,
        stage=first.stage,
        max_abs=first.max_abs,
        relative=first.relative,
        pearson=first.pearson,
        tolerance=first.tolerance,
        map_moved=final.max_abs if final.stage == "normalised" else math.nan,
    )
    if first.agrees:
        return row(verdict="agrees")
    causes = [f"{cause.name}: {cause.explanation}" for cause in explanation.causes]
    if not explanation.rest.agrees:
        causes.append(f"unexplained from {explanation.rest.stage} on.")
    moved = f"moves by up to {final.max_abs:.2g} (r {final.pearson:.3f})"
    size = f"The {final.stage} map {'has another shape' if math.isnan(final.max_abs) else moved}."
    return row(
        verdict="diverges",
        cause=explanation.name,
        fault=not explanation.rest.agrees,
        note=" ".join([*causes, size]),
    )


def _final_difference(evidence: Evidence) -> Difference:
    """Return the difference of the last stage that both have."""
    ours, theirs = evidence.ours, evidence.theirs
    for stage in ("normalised", "resized", "relu"):
        a, b = getattr(ours, stage), getattr(theirs, stage)
        if a is not None and b is not None:
            return difference(stage, a, b, 0.0)
    return Difference("")


def _order(bench: Bench) -> Finding:
    """Return whether pytorch-grad-cam's Grad-CAM changes after its GuidedBackprop has run on the model."""
    pair = PAIRS[0]
    model, images, targets, layer = bench.classifier.module, bench.images, bench.targets, bench.layer
    name, size = "grad_cam after guided_backprop", pixels(bench.size)
    finding = partial(Finding, bench.classifier.name, layer, name, "pytorch_grad_cam", size=size)
    if isinstance(find_layer(model, layer), nn.ReLU):
        return finding(
            stage="", verdict="skipped", note="GuidedBackprop takes the layer itself, a ReLU, out of the model"
        )
    before = pair.theirs(model, images, targets, layer)
    with untouched(model):
        guided_backprop(model, images[:1], targets[:1])
        after = pair.theirs(model, images, targets, layer)
    evidence = Evidence(pair.ours, before, after, lambda stages: stages, pair.theirs, model, images, targets, layer)
    explanation = explain(evidence, KNOWN, tolerances(images.dtype))
    return _row(finding, explanation, _final_difference(evidence))

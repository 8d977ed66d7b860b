"""Every known cause, provoked with the library itself, is found by its experiment and named."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from heatmark.benchmarks.conformance import profiles
from heatmark.benchmarks.conformance.causes import Evidence, explain
from heatmark.benchmarks.conformance.compare import compare, tolerances
from heatmark.benchmarks.conformance.experiments import handing_on_copies
from heatmark.benchmarks.conformance.known import KNOWN
from heatmark.common.features import find_layer
from heatmark.common.resize import upsample
from heatmark.methods.engine.capture import Capture, capture
from heatmark.methods.engine.stages import stages_from
from heatmark.methods.external import stages_torchcam
from heatmark.methods.external.stages import guided_backprop
from heatmark.methods.external.stages_captum import layer_grad_cam
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.xgrad_cam import XGradCAM

TOLERANCE = tolerances(torch.float32)
SIZE = (24, 24)
BEFORE_RELU, AFTER_RELU = "3", "4"
needs_torchcam = pytest.mark.skipif(not stages_torchcam.installed(), reason="torch-cam is not installed")


def names(explanation):
    assert explanation.rest.agrees, explanation.rest
    return [cause.name for cause in explanation.causes]


def without_in_place(model):
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "layer_cam"])
def test_in_place_successor(evidence, build, method):
    e = evidence(method, "pytorch_grad_cam", BEFORE_RELU)
    found = explain(e, KNOWN, TOLERANCE)
    assert names(found) == ["in_place_successor"]
    assert found.first.stage == "activations"
    assert torch.equal(e.theirs.activations, e.ours.activations.relu())
    assert compare(e.ours, e.theirs.without("activations"), TOLERANCE).agrees is (method != "grad_cam")
    clean = evidence(method, "pytorch_grad_cam", BEFORE_RELU, without_in_place(build()))
    assert explain(clean, KNOWN, TOLERANCE).first.agrees


@needs_torchcam
def test_in_place_successor_moves_torchcams_gradients_too(evidence):
    e = evidence("grad_cam", "torchcam", BEFORE_RELU)
    assert names(explain(e, KNOWN, TOLERANCE)) == ["in_place_successor"]
    assert not torch.allclose(e.theirs.gradients, e.ours.gradients)


def test_a_layer_that_hands_on_copies_is_not_overwritten_by_a_function_in_place(images):
    class DenseNetLike(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return nn.functional.relu(self.features(x), inplace=True).mean(dim=(2, 3))

    model, kept = DenseNetLike().eval(), []
    with handing_on_copies(model, "features"):
        model.features.register_forward_hook(lambda _m, _i, output: kept.append(output))
        model(images)
    assert torch.equal(kept[0], model.features(images))
    assert not model.features._forward_hooks
    assert not model.features._forward_pre_hooks


def test_causes_that_add_up_are_found_one_after_the_other(evidence):
    found = explain(evidence("grad_cam_pp", "pytorch_grad_cam", BEFORE_RELU), KNOWN, TOLERANCE)
    assert names(found) == ["in_place_successor", "grad_cam_pp_denominator"]
    assert found.name == "in_place_successor"


def test_method_order(evidence, build):
    model = build()
    e = evidence("grad_cam", "pytorch_grad_cam", BEFORE_RELU, model)
    contaminated = build()
    guided_backprop(contaminated, e.images[:1], e.targets[:1])
    assert contaminated[1] is contaminated[4]
    assert not contaminated[1].inplace
    after = e.library(contaminated, e.images, e.targets, e.layer)
    found = explain(replace(e, ours=e.theirs, theirs=after), KNOWN, TOLERANCE)
    assert names(found) == ["method_order"]
    assert find_layer(model, "1").inplace


def test_grad_cam_pp_denominator(evidence):
    found = explain(evidence("grad_cam_pp", "pytorch_grad_cam", AFTER_RELU), KNOWN, TOLERANCE)
    assert names(found) == ["grad_cam_pp_denominator"]
    assert found.first.stage == "weights"


@needs_torchcam
def test_alpha_written_to_copy(evidence):
    e = evidence("grad_cam_pp", "torchcam", AFTER_RELU)
    assert names(explain(e, KNOWN, TOLERANCE)) == ["alpha_written_to_copy"]
    cubes = e.ours.gradients.relu().pow(3).sum(dim=(2, 3))
    torch.testing.assert_close(e.theirs.weights, cubes)


def test_xgrad_cam_epsilon(evidence, build):
    model = without_in_place(build())
    with torch.no_grad():
        model[3].weight *= 1e-5
        model[3].bias.zero_()
    found = explain(evidence("xgrad_cam", "pytorch_grad_cam", BEFORE_RELU, model), KNOWN, TOLERANCE)
    assert names(found) == ["xgrad_cam_epsilon"]
    assert explain(evidence("xgrad_cam", "pytorch_grad_cam", AFTER_RELU), KNOWN, TOLERANCE).first.agrees


def made_up(build, images, targets, method, activations, gradients):
    """Evidence of one method on activations that cancel, theirs in float64."""
    c = Capture(activations, gradients, torch.zeros(len(activations), 5))
    wide = Capture(activations.double(), gradients.double(), c.logits)
    double = stages_from(method, wide)
    theirs = replace(
        double,
        activations=activations,
        gradients=gradients,
        **{s: None if (v := getattr(double, s)) is None else v.float() for s in ("weights", "raw", "relu")},
    )
    return Evidence(
        method, stages_from(method, c), theirs, lambda s: s, lambda *_: theirs, build(), images, targets, AFTER_RELU
    )


def test_cancelling_activations(build, images, targets):
    draw = torch.Generator().manual_seed(0)
    activations = torch.randn(2, 8, 16, 16, generator=draw)
    activations -= activations.mean(dim=(2, 3), keepdim=True)
    gradients = torch.randn(2, 8, 16, 16, generator=draw)
    e = made_up(build, images, targets, XGradCAM(), activations, gradients)
    assert names(explain(e, KNOWN, TOLERANCE)) == ["cancelling_activations"]


def test_cancelling_sum(build, images, targets):
    activations = torch.randn(2, 64, 4, 4, generator=torch.Generator().manual_seed(0))
    activations -= activations.mean(dim=1, keepdim=True)
    e = made_up(build, images, targets, HiResCAM(), activations, torch.ones_like(activations))
    assert names(explain(e, KNOWN, TOLERANCE)) == ["cancelling_sum"]
    wrong = replace(e, theirs=replace(e.theirs, relu=e.theirs.relu + 1e-3))
    assert explain(wrong, KNOWN, TOLERANCE).name == "unexplained"


def test_centred_activations(evidence):
    found = explain(evidence("eigen_cam", "pytorch_grad_cam", AFTER_RELU), KNOWN, TOLERANCE)
    assert names(found) == ["centred_activations"]
    assert found.first.stage == "raw"


def test_softmax_over_channels(evidence):
    e = evidence("score_cam", "pytorch_grad_cam", AFTER_RELU)
    assert names(explain(e, KNOWN, TOLERANCE)) == ["softmax_over_channels"]
    torch.testing.assert_close(e.theirs.weights.sum(dim=1), torch.ones(2))


def test_ablation_below_minimum(evidence, build):
    found = explain(evidence("ablation_cam", "pytorch_grad_cam", "patches", build("tokens")), KNOWN, TOLERANCE)
    assert names(found) == ["ablation_below_minimum"]
    assert found.first.relative > 0.1


@pytest.mark.parametrize("layer", [BEFORE_RELU, AFTER_RELU])
def test_ablation_far_below_is_no_other_where_a_relu_follows(evidence, build, layer):
    model = without_in_place(build())
    assert explain(evidence("ablation_cam", "pytorch_grad_cam", layer, model), KNOWN, TOLERANCE).first.agrees


def test_too_few_targets(evidence):
    e = evidence("grad_cam", "pytorch_grad_cam", AFTER_RELU)
    truncated = e.library(e.model, e.images, e.targets[:1], e.layer)
    assert not truncated.normalised[1].any()
    found = explain(replace(e, theirs=truncated), KNOWN, TOLERANCE)
    assert names(found) == ["too_few_targets"]
    assert found.first.stage == "gradients"


def test_tokens_as_channels(evidence, build):
    found = explain(evidence("grad_cam", "captum", "norm", build("tokens")), KNOWN, TOLERANCE)
    assert names(found) == ["tokens_as_channels"]
    assert found.first.stage == "raw"
    assert explain(evidence("grad_cam", "pytorch_grad_cam", "norm", build("tokens")), KNOWN, TOLERANCE).first.agrees


@pytest.fixture
def displayed(build, images, targets) -> Evidence:
    """Our Grad-CAM with our own conventions, beside Captum's stages."""
    model = build()

    def shown(stages):
        return profiles.shown(stages, SIZE)

    ours = shown(stages_from(GradCAM(), capture(model, images, targets, AFTER_RELU)))
    theirs = layer_grad_cam(model, images, targets, AFTER_RELU)
    return Evidence(GradCAM(), ours, theirs, shown, layer_grad_cam, model, images, targets, AFTER_RELU)


def test_nearest_resize(displayed):
    found = explain(displayed, KNOWN, TOLERANCE)
    assert names(found) == ["nearest_resize"]
    assert found.first.stage == "resized"


def test_corners_aligned(displayed):
    moved = profiles.corners_aligned(displayed.theirs.relu, SIZE)
    theirs = replace(displayed.theirs, resized=moved, normalised=profiles.min_max(moved))
    assert names(explain(replace(displayed, theirs=theirs), KNOWN, TOLERANCE)) == ["corners_aligned"]


def test_relu_after_resizing(displayed):
    from captum.attr import LayerAttribution

    signed = displayed.theirs.raw - displayed.theirs.raw.mean()
    theirs = LayerAttribution.interpolate(signed[:, None], SIZE, interpolate_mode="bilinear")[:, 0].relu()
    ours = profiles.shown(replace(displayed.ours, raw=signed, relu=signed.relu()), SIZE)
    e = replace(displayed, ours=ours, theirs=replace(displayed.theirs, raw=signed, relu=signed.relu(), resized=theirs))
    assert names(explain(e, KNOWN, TOLERANCE)) == ["relu_after_resizing"]


def test_our_own_resizing_is_not_excused(displayed):
    """With align_corners=True on our side, a right library is not to blame."""
    theirs = replace(displayed.theirs, resized=upsample(displayed.theirs.relu, SIZE))

    def shown(stages):
        return profiles.shown(stages, SIZE, resize=profiles.corners_aligned)

    found = explain(replace(displayed, ours=shown(displayed.ours), theirs=theirs, shown=shown), KNOWN, TOLERANCE)
    assert found.name == "unexplained"
    assert found.first.stage == "resized"


def test_what_no_cause_undoes_is_unexplained(evidence):
    e = evidence("grad_cam", "pytorch_grad_cam", AFTER_RELU)
    found = explain(replace(e, theirs=replace(e.theirs, raw=1.01 * e.theirs.raw)), KNOWN, TOLERANCE)
    assert (found.name, found.first.stage, found.rest.stage) == ("unexplained", "raw", "raw")
    assert found.first.relative == pytest.approx(0.01 / 1.01, rel=1e-3)


def test_every_cause_has_a_name_of_its_own_and_a_sentence():
    assert len({cause.name for cause in KNOWN}) == len(KNOWN)
    assert all(cause.explanation.endswith(".") and cause.stages for cause in KNOWN)

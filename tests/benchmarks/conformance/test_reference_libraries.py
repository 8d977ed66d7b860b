"""Findings of the comparison with reference libraries at one layer of one model."""

import copy
import math

import pytest
import torch
from torch import nn

from heatmark.benchmarks.conformance import reference_libraries, references
from heatmark.benchmarks.conformance.reference_libraries import PAIRS, compare_with_reference_libraries
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.sources import torchvision_model
from heatmark.methods.external import stages_torchcam
from heatmark.methods.grad_cam import GradCAM


def classifier(model: nn.Module) -> Classifier:
    return Classifier("net", model, "random-0", Preprocessing())


def by_pair(findings):
    return {(f.method, f.check): f for f in findings}


def test_every_pair_has_a_row_and_none_is_our_fault(build, images, targets):
    found = list(compare_with_reference_libraries(classifier(build()), images, targets, "3"))
    expected = {(pair.name, pair.library.name) for pair in PAIRS}
    assert {(f.method, f.check) for f in found} == expected | {("grad_cam after guided_backprop", "pytorch_grad_cam")}
    assert not any(f.fault or f.verdict == "error" or f.cause == "unexplained" for f in found)
    assert {f.layer for f in found} == {"3"}
    rows = by_pair(found)
    grad_cam = rows["grad_cam", "pytorch_grad_cam"]
    assert (grad_cam.stage, grad_cam.verdict, grad_cam.cause) == ("activations", "diverges", "in_place_successor")
    assert grad_cam.relative > grad_cam.tolerance == pytest.approx(1.2e-5, rel=0.01)
    assert "The normalised map moves by up to" in grad_cam.note
    assert rows["grad_cam", "captum"].verdict == "agrees"
    assert rows["grad_cam after guided_backprop", "pytorch_grad_cam"].cause == "method_order"


def test_where_nothing_runs_in_place_grad_cam_agrees_to_the_last_stage(build, images, targets):
    model = build()
    model[4].inplace = False
    rows = by_pair(compare_with_reference_libraries(classifier(model), images, targets, "3"))
    agreed = rows["grad_cam", "pytorch_grad_cam"]
    assert (agreed.stage, agreed.verdict, agreed.cause) == ("normalised", "agrees", "")
    assert agreed.relative < 5e-6
    assert rows["grad_cam", "captum"].stage == "resized"
    assert rows["grad_cam after guided_backprop", "pytorch_grad_cam"].verdict == "agrees"


def test_the_model_is_as_it_was(build, images, targets):
    model = build().train()
    model[0].weight.requires_grad_(False)
    before, kept, rng = copy.deepcopy(model.state_dict()), [id(m) for m in model.modules()], torch.get_rng_state()
    list(compare_with_reference_libraries(classifier(model), images, targets, "3"))
    assert [id(m) for m in model.modules()] == kept
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(m.training and not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert [p.requires_grad for p in model.parameters()] == [False] + 5 * [True]
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), rng)


def test_a_fault_of_ours_is_seen_and_laid_at_our_door(build, images, targets, monkeypatch):
    monkeypatch.setattr(GradCAM, "channel_weights", lambda _, c: c.gradients.sum(dim=(2, 3)))
    rows = by_pair(compare_with_reference_libraries(classifier(build()), images, targets, "4"))
    found = rows["grad_cam", "pytorch_grad_cam"]
    assert (found.stage, found.cause, found.fault) == ("weights", "unexplained", True)
    assert found.relative == pytest.approx(143, rel=1e-3)  # a sum over 12 × 12 places for their mean
    assert rows["grad_cam", "captum"].stage == "raw"


def test_an_error_of_a_library_is_a_row(build, images, targets, monkeypatch):
    def fail(*_args):
        raise RuntimeError("broken on purpose")

    pair = reference_libraries.Pair("grad_cam", GradCAM(), reference_libraries.CAPTUM, fail)
    monkeypatch.setattr(reference_libraries, "PAIRS", (PAIRS[0], pair))
    _, found, _ = compare_with_reference_libraries(classifier(build()), images, targets, "4")
    assert (found.verdict, found.fault) == ("error", False)
    assert "broken on purpose" in found.note
    assert math.isnan(found.max_abs)


def test_what_is_not_run_says_why(build, images, targets, monkeypatch):
    monkeypatch.setattr(reference_libraries, "installed", lambda: False)
    monkeypatch.setattr(references, "WORK", 8 * 24 * 24)
    found = [
        f for f in compare_with_reference_libraries(classifier(build()), images, targets, "4") if f.verdict == "skipped"
    ]
    assert {f.method for f in found if f.check == "torchcam"} == {"grad_cam", "grad_cam_pp", "xgrad_cam", "layer_cam"}
    assert {f.method for f in found if "forward pass for each of 8 channels" in f.note} == {"score_cam", "ablation_cam"}
    relu = by_pair(found)["grad_cam after guided_backprop", "pytorch_grad_cam"]
    assert "takes the layer itself" in relu.note


def test_tokens_are_no_channels(build, images, targets):
    found = list(compare_with_reference_libraries(classifier(build("tokens")), images, targets, "norm"))
    assert not any(f.fault or f.verdict == "error" for f in found)
    rows = by_pair(found)
    assert rows["grad_cam", "captum"].cause == "tokens_as_channels"
    assert rows["grad_cam", "pytorch_grad_cam"].verdict == "agrees"
    if stages_torchcam.installed():
        assert rows["grad_cam", "torchcam"].verdict == "agrees"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer", "cause"),
    [
        ("vgg16", "features.28", "in_place_successor"),
        ("densenet121", "features", "in_place_successor"),
        ("resnet18", "layer4", ""),
        ("mobilenet_v3_small", "features.12", ""),
    ],
)
def test_torchvisions_networks(name, layer, cause):
    model = torchvision_model(name, weights=None)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        targets = model.module(images).argmax(dim=1)
    found = list(compare_with_reference_libraries(model, images, targets, layer))
    assert not any(f.fault or f.verdict == "error" for f in found)
    grad_cam = by_pair(found)["grad_cam", "pytorch_grad_cam"]
    assert grad_cam.cause == cause
    assert grad_cam.verdict == ("diverges" if cause else "agrees")

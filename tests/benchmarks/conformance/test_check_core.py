"""The core of the check, called with objects: what it runs, in which order, and what it does with what breaks."""

from pathlib import Path

import pytest
import torch

from heatmark.benchmarks.conformance.check import check
from heatmark.benchmarks.conformance.examination import Step
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.settings import Baseline, CheckSettings, as_sizes, named_invariants
from heatmark.benchmarks.conformance.suite import Claim, Claims
from heatmark.benchmarks.conformance.toy import Toy
from heatmark.benchmarks.data.shapes import Shapes
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.methods.grad_cam import GradCAM
from heatmark.metrics.deletion import Deletion

PICTURES = Shapes(size=32, limit=2)
BRIEF = named_invariants(["reference_implementation"])


@pytest.fixture(autouse=True)
def no_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the toy network's checks out, which have tests of their own."""
    monkeypatch.setattr("heatmark.benchmarks.conformance.check.check_toys", lambda _claimed: [])


def classifier(weights: str = "trained") -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Toy().eval()
    return Classifier("net", module, weights, Preprocessing(None, None), {"last": "features.5"})


def absent() -> Classifier:
    raise ValueError("no weights here")


def found(settings: CheckSettings, *builders, show=lambda _done, _step: None) -> list[Finding]:
    models = [(f"model {n}", build) for n, build in enumerate(builders, start=1)]
    method = GradCAM()
    return list(check(models, Claims([Claim("mine", method, method)]), PICTURES, settings, show))


def test_every_step_is_shown_before_it_runs_and_what_breaks_costs_the_others_nothing() -> None:
    shown: list[tuple[int, str, str, str]] = []

    def show(done: int, step: Step) -> None:
        shown.append((done, step.model, step.layer, step.what))

    settings = CheckSettings(["features.4", "lasst"], [(24, 30)], BRIEF, suite=False, libraries=False)
    findings = found(settings, absent, classifier, show=show)
    assert shown == [
        (0, "toy", "", "invariants"),
        (1, "model 1", "", "build"),
        (2, "net", "", "build"),
    ]
    broken = [(f.model, f.verdict, f.check) for f in findings if f.verdict == "error"]
    assert broken == [("model 1", "error", "build"), ("net", "error", "build")]
    assert [f.note for f in findings if f.model == "model 1"] == ["no weights here"]
    assert "lasst" in findings[-1].note


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (CheckSettings(suite=False, libraries=False), ["invariants"]),
        (CheckSettings(suite=False), ["invariants", "reference libraries"]),
        (
            CheckSettings(),
            [
                *("invariants", "known answers", "traps", "refusals", "methods that explain the input"),
                "reference libraries",
            ],
        ),
    ],
)
def test_the_suite_is_held_to_all_of_its_steps(
    settings: CheckSettings, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(Step, "findings", lambda _step: [])
    found(settings, show=lambda _done, step: shown.append(step.what))
    assert shown == steps


def test_a_layer_is_checked_with_what_was_asked_for() -> None:
    settings = CheckSettings(["features.4"], [(24, 30)], BRIEF, suite=False, libraries=False)
    findings = [f for f in found(settings, classifier) if f.model == "net"]
    said = [(f.layer, f.method, f.check, f.verdict, f.size) for f in findings if f.method]
    assert said == [("features.4", "mine", "reference_implementation", "agrees", "24×30")]


def test_a_step_that_breaks_is_a_row() -> None:
    def run() -> list[Finding]:
        raise RuntimeError("out of luck")

    (finding,) = Step("net", "features.4", "linter", run).findings()
    assert (finding.model, finding.layer, finding.verdict) == ("net", "features.4", "error")
    assert finding.note == "RuntimeError: out of luck"


@pytest.mark.parametrize(
    ("weights", "every_layer", "held"),
    [
        ("trained", True, ["features.4", "features.5"]),
        ("trained", False, ["features.5"]),
        ("random-0", True, []),
    ],
)
def test_what_is_held_to_the_regression_baseline(
    tmp_path: Path, weights: str, every_layer: bool, held: list[str]
) -> None:
    path = tmp_path / "baseline.csv"
    baseline = Baseline(path, {"grad_cam": GradCAM()}, {"deletion": Deletion(steps=2)}, every_layer, write=True)
    settings = CheckSettings(["features.4", "last"], [(32, 32)], BRIEF, False, False, baseline)
    findings = [f for f in found(settings, lambda: classifier(weights)) if f.check == "reference"]
    assert [(f.layer, f.method, f.verdict) for f in findings] == [(layer, "grad_cam", "agrees") for layer in held]
    assert path.exists() == bool(held)


def test_sizes_are_pairs_of_whole_numbers() -> None:
    assert as_sizes([[72, 72], [63, 85]]) == [(72, 72), (63, 85)]
    for wrong in (None, [], 64, [[64]], [[64, 0]], [[64, 6.5]], [[64, True]], "big"):
        with pytest.raises(ValueError, match="expected heights and widths"):
            as_sizes(wrong)

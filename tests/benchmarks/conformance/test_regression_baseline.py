"""The regression baseline: green within its tolerances, red and readable beyond them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance import regression_baseline
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.image_set import ImageSet
from heatmark.benchmarks.conformance.toy import Toy
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.methods.base import Method
from heatmark.methods.grad_cam import GradCAM
from heatmark.metrics.deletion import Deletion

METRICS = {"deletion": Deletion(steps=4)}


@dataclass(frozen=True)
class Drifted(Method):
    """Grad-CAM times a factor, a little more at one place."""

    factor: float = 1.0
    extra: float = 0.0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        maps = GradCAM()(model, images, targets, layer) * self.factor
        maps[:, maps.shape[1] // 2, maps.shape[2] // 2] += self.extra * maps.amax(dim=(1, 2))
        return maps


@pytest.fixture(scope="module")
def case() -> tuple[Classifier, ImageSet, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Toy().eval()
        images = torch.randn(2, 3, 32, 48)
    classifier = Classifier("toy", module, "trained", Preprocessing())
    return classifier, ImageSet(["a", "b"], images, None), torch.tensor([0, 1])


def measured(case, method: Method) -> pd.DataFrame:
    classifier, batch, targets = case
    return regression_baseline.measure(classifier, "features.5", {"grad_cam": method}, METRICS, batch, targets)


def held(case, method: Method, reference: pd.DataFrame | None) -> Finding:
    (finding,) = regression_baseline.hold(measured(case, method), reference)
    return finding


@pytest.fixture(scope="module")
def reference(case, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("reference") / "conformance.csv"
    regression_baseline.save(measured(case, GradCAM()), path)
    return regression_baseline.read(path)


def test_a_row_tells_of_the_map(case) -> None:
    rows = measured(case, GradCAM())
    maps = GradCAM()(case[0].module, case[1].images, case[2], "features.5")
    assert rows["image"].tolist() == ["a", "b"]
    np.testing.assert_allclose(rows["max"], maps.amax(dim=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(rows["mean"], maps.mean(dim=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(rows["at 0.25,0.75"], maps[:, 4, 18], rtol=1e-6)
    assert rows["deletion:heatmark-1[steps=4]"].between(0, 1).all()


def test_the_same_numbers_are_green_after_a_round_trip(case, reference: pd.DataFrame) -> None:
    finding = held(case, GradCAM(), reference)
    assert finding.verdict == "agrees"
    assert finding.note == "to the bit"
    assert finding.relative < 1e-8


@pytest.mark.parametrize(
    ("method", "red"),
    [
        (Drifted(1 + 1e-5), False),
        (Drifted(1 - 5e-4), False),
        (Drifted(1 + 5e-3), True),
        (Drifted(2.0), True),
        (Drifted(extra=0.01), True),
        (Drifted(extra=1e-4), False),
        (Drifted(float("nan")), True),
    ],
)
def test_drift_is_red_beyond_a_thousandth_of_the_map(case, reference, method: Method, red: bool) -> None:
    finding = held(case, method, reference)
    assert finding.fault == red
    assert (finding.verdict, finding.cause) == (("diverges", "drift") if red else ("agrees", ""))
    if red:
        assert " was " in finding.note
        assert " and is " in finding.note


def test_the_worst_number_is_named(case, reference: pd.DataFrame) -> None:
    finding = held(case, Drifted(extra=0.01), reference)
    assert finding.note.startswith("drifted: at 0.5,0.5 of ")
    assert finding.relative == pytest.approx(0.01, rel=1e-3)


def test_a_metric_that_drifts_alone_is_red(case, reference: pd.DataFrame) -> None:
    (metric,) = (c for c in reference if c.startswith("deletion"))
    moved = reference.assign(**{metric: reference[metric] + 0.02})
    finding = held(case, GradCAM(), moved)
    assert finding.fault
    assert finding.note.startswith(f"drifted: {metric} of")
    assert not held(case, GradCAM(), reference.assign(**{metric: reference[metric] + 0.005})).fault


def test_other_weights_are_told_apart_from_drift(case, reference: pd.DataFrame) -> None:
    finding = held(case, GradCAM(), reference.assign(weights="0" * 12))
    assert finding.fault
    assert finding.cause == "stale_reference"
    assert "other weights than the reference's" in finding.note


@pytest.mark.parametrize(("shift", "stale"), [(1e-3, True), (1e-6, False)])
def test_other_pictures_are_told_apart_from_drift(case, reference: pd.DataFrame, shift: float, stale: bool) -> None:
    finding = held(case, GradCAM(), reference.assign(picture=reference["picture"] + shift))
    assert (finding.cause == "stale_reference") == stale
    assert ("other pictures than the reference's" in finding.note) == stale


def test_without_a_reference_nothing_is_claimed(case, reference: pd.DataFrame) -> None:
    assert held(case, GradCAM(), None).verdict == "skipped"
    assert held(case, GradCAM(), reference.assign(method="other")).verdict == "skipped"
    assert held(case, GradCAM(), reference.assign(model="other")).verdict == "skipped"


@pytest.mark.parametrize("column", ["min", "max", "mean", "at 0.5,0.5"])
def test_a_number_where_the_reference_has_none_is_drift(case, reference: pd.DataFrame, column: str) -> None:
    finding = held(case, GradCAM(), reference.assign(**{column: np.nan}))
    assert (finding.verdict, finding.cause, finding.fault) == ("diverges", "drift", True)
    assert f"{column} of a was nan and is " in finding.note


def test_a_map_where_the_reference_has_none_is_drift(case, tmp_path: Path) -> None:
    regression_baseline.save(measured(case, Drifted(float("nan"))), tmp_path / "reference.csv")
    undefined = regression_baseline.read(tmp_path / "reference.csv")
    metrics = {c: value for c, value in measured(case, GradCAM()).items() if c.startswith("deletion")}
    finding = held(case, GradCAM(), undefined.assign(**metrics))
    assert (finding.verdict, finding.cause, finding.fault) == ("diverges", "drift", True)


def test_a_map_that_is_undefined_now_as_then_agrees(case, tmp_path: Path) -> None:
    regression_baseline.save(measured(case, Drifted(float("nan"))), tmp_path / "reference.csv")
    assert held(case, Drifted(float("nan")), regression_baseline.read(tmp_path / "reference.csv")).verdict == "agrees"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.assign(layer="features.4"), "the reference holds features.4, not features.5"),
        (lambda r: r.assign(image=["c", "d"]), "other images, without a, b and with c, d"),
        (lambda r: r[r["image"] == "a"], "other images, without b; if"),
        (lambda r: pd.concat([r, r[:1].assign(image="c")]), "other images, with c; if"),
    ],
)
def test_another_layer_or_other_images_are_a_stale_reference(case, reference, change, words: str) -> None:
    finding = held(case, GradCAM(), change(reference))
    assert (finding.verdict, finding.cause, finding.fault) == ("diverges", "stale_reference", True)
    assert words in finding.note


def test_a_reference_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    with pytest.raises(ValueError, match=r"mine\.csv does not exist; save=true"):
        regression_baseline.located(str(path), save=False)
    assert regression_baseline.located(str(path), save=True) == path
    path.touch()
    assert regression_baseline.located(str(path), save=False) == path
    assert regression_baseline.located(None, save=False) == regression_baseline.COMMITTED


def test_saving_replaces_what_was_measured_and_keeps_the_rest(case, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "reference.csv"
    classifier, batch, targets = case
    both = {"grad_cam": GradCAM(), "other": Drifted(3.0)}
    regression_baseline.save(regression_baseline.measure(classifier, "features.5", both, METRICS, batch, targets), path)
    regression_baseline.save(measured(case, Drifted(2.0)), path)
    rows = regression_baseline.read(path)
    assert rows["method"].tolist() == ["grad_cam", "grad_cam", "other", "other"]
    assert held(case, Drifted(2.0), rows).verdict == "agrees"


OLD = "deletion:rise-2018[steps=32]"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r, metric: r.drop(columns=metric), "other metrics, without deletion:heatmark-1[steps=4]; if"),
        (lambda r, metric: r.assign(**{metric: np.nan}), "other metrics, without deletion:heatmark-1[steps=4]; if"),
        (lambda r, metric: r.rename(columns={metric: OLD}), f"without deletion:heatmark-1[steps=4] and with {OLD}; if"),
        (lambda r, _: r.assign(**{OLD: 0.5}), f"other metrics, with {OLD}; if"),
    ],
)
def test_metrics_without_a_number_to_compare_are_a_stale_reference(case, reference, change, words: str) -> None:
    finding = held(case, GradCAM(), change(reference, "deletion:heatmark-1[steps=4]"))
    assert (finding.verdict, finding.cause, finding.fault) == ("diverges", "stale_reference", True)
    assert words in finding.note


def test_metrics_of_other_cells_say_nothing_of_this_one(case, reference: pd.DataFrame) -> None:
    other = reference.assign(method="other", **{OLD: 0.5})
    assert held(case, GradCAM(), pd.concat([reference, other])).verdict == "agrees"


def test_saving_drops_a_metric_with_the_last_row_that_has_it(case, tmp_path: Path) -> None:
    path = tmp_path / "reference.csv"
    old = measured(case, GradCAM()).rename(columns={"deletion:heatmark-1[steps=4]": OLD})
    regression_baseline.save(pd.concat([old, old.assign(method="other")]), path)
    regression_baseline.save(measured(case, GradCAM()), path)
    assert regression_baseline.read(path)[OLD].notna().tolist() == [False, False, True, True]
    regression_baseline.save(measured(case, GradCAM()).assign(method="other"), path)
    assert OLD not in regression_baseline.read(path)
    assert held(case, GradCAM(), regression_baseline.read(path)).verdict == "agrees"


def test_saving_keeps_what_is_undefined_now(case, tmp_path: Path) -> None:
    path = tmp_path / "reference.csv"
    regression_baseline.save(measured(case, GradCAM()), path)
    regression_baseline.save(measured(case, Drifted(float("nan"))), path)
    assert "deletion:heatmark-1[steps=4]" in regression_baseline.read(path)

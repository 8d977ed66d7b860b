"""Tests of the command ``heatmark check``: its table, its files, its exit code."""

import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
import torch
from rich.console import Console

from heatmark.benchmarks.cli import dispatch
from heatmark.benchmarks.config.arguments import named
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.conformance import report
from heatmark.benchmarks.conformance.checked_layer import pixels
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.suite import BRIEFLY, Claim, check_toys
from heatmark.benchmarks.conformance.toy import Toy
from heatmark.benchmarks.conformance.where import SIZES
from heatmark.benchmarks.models.light_torchvision import models as torchvision_models
from heatmark.methods.grad_cam import GradCAM

CONF = Path(__file__).parents[2] / "conf"
Heatmark = Callable[..., tuple[int, str]]
TOY = (
    "check", "model=custom", "model.name=mine", f"model.module._target_={__name__}.Seeded", "layer=features.4",
    "dataset.size=32", "model.preprocessing.resize=null", "model.preprocessing.crop=null", "libraries=false",
    "metric.deletion.steps=2", "metric.insertion.steps=2", "reference=reference.csv",
    "method=[grad_cam,grad_cam_pp]",
)  # fmt: skip


class Seeded(Toy):
    """A network that is built under the suite's seed, so that it is the same every time."""


class Right(GradCAM):
    """A second implementation of Grad-CAM."""


class NoReLU(GradCAM):
    """A fault: negative contributions are shown too."""

    def relevance(self, c):
        return torch.einsum("nc,nchw->nhw", self.channel_weights(c), c.activations)


class Refuser(GradCAM):
    """A fault: the method refuses every layer."""

    def unsupported(self, model, layer):
        return "not today"


@pytest.fixture
def heatmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Heatmark:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["heatmark"])
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> tuple[int, str]:
        code = dispatch(arguments)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_the_shipped_models_are_green_explained_and_as_the_reference_has_them(heatmark: Heatmark) -> None:
    code, said = heatmark("check", "models=[shapes_plain,shapes_residual,shapes_residual_shortcut,shapes_vit]")
    assert code == 0, said
    rows = pd.read_parquet("results/runs/check/conformance.parquet")
    held = rows[rows["check"] == "reference"]
    assert len(held) == 4 * 5
    assert set(held["verdict"]) == {"agrees"}
    real = rows[rows["model"].str.startswith("shapes")]
    causes = {"grad_cam_pp_denominator", "centred_activations", "tokens_as_channels"}
    of_metrics = {
        *("ties_in_raster_order", "chunks_of_ceil", "zero_for_blur", "logits_for_probabilities"),
        *("drop_not_divided", "drop_not_cut", "epsilon_in_denominator", "map_not_scaled"),
    }
    by_rounding = {"cancelling_activations", "xgrad_cam_epsilon"}  # where a sum over tokens is nearly 0
    found = set(real.loc[real["verdict"] == "diverges", "cause"])
    assert found - by_rounding - of_metrics - {"alpha_written_to_copy"} == causes  # torch-cam's
    sloped = rows[(rows["check"] == "finite_differences") & ~rows["method"].isin(BRIEFLY)]
    assert set(sloped["verdict"]) == {"agrees"}
    extra = rows[rows["method"].isin(BRIEFLY) & (rows["check"] == "batch_invariance")]
    assert list(extra.loc[extra["model"] == "toy", "verdict"]) == ["agrees"] * 2 * len(BRIEFLY)
    assert not extra["model"].str.startswith("shapes").any()
    held = real[real["method"].isin(BRIEFLY) & (real["check"] == "reference_implementation")]
    assert set(held["verdict"]) <= {"agrees", "skipped"}
    assert (held["verdict"] == "agrees").sum() >= 8
    assert set(held["size"]) <= {pixels(size) for size in SIZES} | {"128×128"}


@pytest.mark.parametrize("other", ["layer=early", "dataset.limit=1"])
def test_the_committed_reference_says_nothing_of_other_layers_and_pictures(heatmark: Heatmark, other: str) -> None:
    code, said = heatmark("check", "models=[shapes_plain]", "libraries=false", "method=[grad_cam]", other)
    assert code == 0, said
    rows = pd.read_parquet("results/runs/check/conformance.parquet")
    assert "reference" not in set(rows["check"])


def test_sizes_and_layers_are_those_that_were_asked_for(heatmark: Heatmark) -> None:
    code, said = heatmark(
        "check", "models=[shufflenet_v2_x0_5]", "libraries=false", "method=[grad_cam]", "layer=[early,last]",
        "sizes=[[64,64],[63,85]]", "invariants=[reference_implementation]",
    )  # fmt: skip
    assert code == 0, said
    rows = pd.read_parquet("results/runs/check/conformance.parquet")
    found = rows[
        (rows["model"] == "shufflenet_v2_x0_5")
        & (rows["check"] == "reference_implementation")
        & (rows["method"] == "grad_cam")
    ]
    assert list(zip(found["layer"], found["size"], strict=True)) == [
        ("stage2", "64×64"), ("stage2", "63×85"), ("conv5", "64×64"), ("conv5", "63×85"),
    ]  # fmt: skip


def test_a_network_of_one_size_is_checked_at_that_and_it_is_said(heatmark: Heatmark) -> None:
    code, said = heatmark(
        "check",
        "models=[shapes_vit]",
        "libraries=false",
        "method=[grad_cam]",
        "sizes=[[64,64],[63,85]]",
        "invariants=reference_implementation",
    )
    assert code == 0, said
    rows = pd.read_parquet("results/runs/check/conformance.parquet")
    rows = rows[rows["model"] == "shapes_vit"]
    (note,) = rows.loc[rows["check"] == "sizes", "note"]
    assert note == "it takes no images of 64×64, 63×85 pixels; checked at 128×128"
    assert set(rows.loc[rows["check"] == "reference_implementation", "size"]) == {"128×128"}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("sizes=64", "sizes=64, expected heights and widths in pixels, such as [[72, 72], [63, 85]], or null"),
        ("sizes=[]", "sizes=[], expected"),
        ("sizes=[[64]]", "sizes=[[64]], expected"),
        ("sizes=[[64,0]]", "sizes=[[64, 0]], expected"),
        ("invariants=[translatoin]", "unknown invariant 'translatoin': did you mean translation?"),
    ],
)
def test_wrong_sizes_and_invariants_are_refused_at_once(heatmark: Heatmark, option: str, said: str) -> None:
    code, output = heatmark("check", "models=[]", option)
    assert code == 1
    assert said in output
    assert not Path("results/runs/check/conformance.parquet").exists()


def test_the_wide_check_names_many_networks_early_to_last_at_three_sizes() -> None:
    wide = compose_command("check", ["scope=wide"])
    assert len(set(wide.models)) >= 20
    assert list(wide.layer) == ["early", "middle", "last"]
    square, even, odd = wide.sizes
    assert square[0] == square[1]
    assert even[0] * 4 == even[1] * 3
    assert all(side % 2 for side in odd)
    for name in wide.models:
        if not (CONF / "model" / f"{name}.yaml").exists():
            assert name in torchvision_models.list_models(module=torchvision_models)


def test_green_then_drifted(heatmark: Heatmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = heatmark(*TOY, "save=true", "junit=ci/check.xml")
    assert code == 0, said
    assert "all green" in said
    assert max(map(len, said.splitlines())) <= 100
    rows = pd.read_parquet("results/runs/check/conformance.parquet")
    assert rows.equals(rows.reindex(columns=[*report.COLUMNS, "red"]))
    assert len(pd.read_csv("results/runs/check/conformance.csv")) == len(rows)
    assert (rows[(rows["check"] == "reference")]["verdict"] == "agrees").sum() == 2
    assert "in_place_successor" in set(rows["cause"])
    suites = ElementTree.parse("ci/check.xml").getroot()
    names = [s.get("name") for s in suites]
    assert (names[0], names[-1], len(set(names))) == ("toy", "mine", len(names))
    assert {s.get("failures") for s in suites} == {"0"}

    monkeypatch.setattr(GradCAM, "channel_weights", lambda self, c: 1.01 * c.gradients.mean(dim=(2, 3)))
    code, said = heatmark(*TOY, "junit=ci/check.xml")
    assert code == 1
    assert "drift" in said
    assert " was " in said
    failed = ElementTree.parse("ci/check.xml").getroot().findall(".//failure")
    assert any("mine features.4 grad_cam: differs against reference" in f.get("message", "") for f in failed)
    assert any("at stage weights" in f.get("message", "") for f in failed)


def test_a_method_of_ones_own_is_held_against_the_in_house_one(heatmark: Heatmark) -> None:
    code, said = heatmark(*TOY, f"mine._target_={__name__}.Right", "against=grad_cam")
    assert code == 0, said
    code, said = heatmark(*TOY, f"mine._target_={__name__}.NoReLU", "against=grad_cam")
    assert code == 1
    rows = pd.read_parquet("results/runs/check/conformance.parquet")
    red = rows[rows["red"]]
    assert set(red["method"]) == {"mine"}
    assert set(red[red["check"].isin(["reference_implementation", "in_house"])]["stage"]) == {"relu"}
    assert "RED mine features.4 mine: differs against reference implementation at stage relu" in said


def test_a_method_of_ones_own_that_refuses_everything_is_red(heatmark: Heatmark) -> None:
    code, said = heatmark(*TOY, f"mine._target_={__name__}.Refuser", "against=grad_cam")
    assert code == 1
    assert "it refuses: not today" in said
    found = list(check_toys([Claim("mine", Refuser(), GradCAM())]))
    assert [(f.layer, f.verdict) for f in found] == [("features.4", "error"), ("features.5", "error")]
    assert all(map(report.is_red, found))
    refuser = Refuser()
    assert {f.verdict for f in check_toys([Claim("mine", refuser, refuser)])} == {"skipped"}


def test_one_red_job_of_several_decides_the_exit_code(heatmark: Heatmark) -> None:
    code, said = heatmark("check", "-m", *TOY[1:], "save=true", "layer=nosuch,features.4", "method=[grad_cam]")
    assert code == 1, said
    assert not pd.read_parquet("results/runs/check/conformance.parquet")["red"].any()
    assert heatmark(*TOY, "method=[grad_cam]")[0] == 0


@pytest.mark.parametrize("arguments", [("--cfg=job",), ("--cfg", "job"), ("-c", "job")])
def test_where_nothing_runs_nothing_is_red(heatmark: Heatmark, arguments: tuple[str, ...]) -> None:
    code, said = heatmark("check", *arguments)
    assert code == 0, said
    assert "models:" in said
    assert "conformance.parquet" not in said
    assert not Path("results").exists()


def test_a_reference_that_is_not_there_is_an_error(heatmark: Heatmark) -> None:
    code, said = heatmark(*TOY)
    assert code == 1
    assert "reference=reference.csv does not exist" in said
    assert not Path("results/runs/check/conformance.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mine"], ["name=mine"]),
        (["--cfg", "job", "mine"], ["name=mine", "--cfg", "job"]),
        (["-m", "mine", "layer=last"], ["name=mine", "-m", "layer=last"]),
        (["--config-dir", "conf.d", "-p", "model"], ["--config-dir", "conf.d", "-p", "model"]),
    ],
)
def test_a_bare_word_names_the_run_unless_an_option_takes_it(arguments: list[str], expected: list[str]) -> None:
    assert named("check", arguments) == expected


def test_a_model_that_cannot_be_built_is_red_and_the_others_go_on(heatmark: Heatmark) -> None:
    code, said = heatmark("check", "models=[nosuch]", "libraries=false", "method=[grad_cam]")
    assert code == 1
    assert "nosuch" in said
    assert "toy" in said


def finding(**options: object) -> Finding:
    known = {"model": "m", "layer": "l", "method": "grad_cam", "check": "captum", "stage": "", "verdict": "agrees"}
    return Finding(**{**known, **options})


@pytest.mark.parametrize(
    ("options", "red"),
    [
        ({}, False),
        ({"verdict": "skipped"}, False),
        ({"verdict": "error"}, True),
        ({"verdict": "diverges", "cause": "in_place_successor"}, False),
        ({"verdict": "diverges", "cause": "unexplained"}, True),
        ({"verdict": "diverges", "fault": True}, True),
    ],
)
def test_what_is_red(options: dict[str, object], red: bool) -> None:
    assert report.is_red(finding(**options)) == red


def test_the_table_counts_what_agrees_and_lists_what_differs() -> None:
    findings = [
        finding(),
        finding(verdict="skipped"),
        finding(verdict="diverges", stage="activations", relative=0.5, cause="in_place_successor", note="why"),
        finding(method="", check="dead_gradient", verdict="diverges", cause="dead_gradient", note="all zero"),
    ]
    console = Console(width=100, record=True)
    console.print(report.table(findings))
    said = console.export_text()
    assert "4 checks, all green" in said
    assert "1 agree, 1 n/a" in said
    assert [line.split() for line in said.splitlines() if "activations" in line] == [
        ["grad_cam", "captum", "activations", "5.0e-01", "in", "place", "successor"]
    ]
    explained = report.explanations(findings, {"in_place_successor": "It overwrites."})
    assert explained == ["in place successor: It overwrites.", "dead gradient: all zero"]

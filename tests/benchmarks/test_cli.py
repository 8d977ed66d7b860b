"""Tests of the command line: what a person types, and the message after a mistake."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from heatmark.benchmarks import requests
from heatmark.benchmarks.cli import EXAMPLES
from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import compose_command

Heatmark = Callable[..., tuple[int, str, str]]

QUICK = (
    "model.weights=null", "dataset.limit=3", "metric.deletion.steps=2", "metric.lerf.steps=2",
    "batch_size=2", "timing.repeats=1", "method=[grad_cam,random]", "name=t",
)  # fmt: skip


class NaNModel(nn.Module):
    """A network that gives NaN."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 10), float("nan"))


class Sigmoids(nn.Sequential):
    """A network of three classes that do not exclude one another."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Sigmoid())


class SingleLogit(nn.Sequential):
    """A network of one logit."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_bare_heatmark_lists_every_command_with_an_example(heatmark: Heatmark) -> None:
    code, out, _ = heatmark()
    assert code == 0
    for command, (what, example) in EXAMPLES.items():
        assert what in out
        assert example in out
        assert example.startswith(f"heatmark {command}")


def test_a_command_that_is_misspelt(heatmark: Heatmark) -> None:
    code, _, err = heatmark("sweeep")
    assert code == 2
    assert "did you mean sweep, freeze?" in err


def test_a_sweep_leaves_its_tables_and_prints_a_ranking(heatmark: Heatmark, tmp_path: Path) -> None:
    code, out, _ = heatmark("sweep", *QUICK, "layer=[middle,last]")
    assert code == 0, out
    run = tmp_path / "results" / "runs" / "t"
    results = pd.read_parquet(run / "results.parquet")
    assert len(results) == (2 + 5) * 3 * 2  # grad_cam at two layers and five draws of random, 3 images, 2 metrics
    assert set(results["definition"]) == {"deletion:heatmark-1[steps=2]", "lerf:heatmark-1[steps=2]"}
    assert results["value"].between(0, 1).all()
    for name in ("images.parquet", "timing.parquet", "curves.parquet", "summary.csv", "provenance.json"):
        assert (run / name).exists()
    assert len(requests.current(run)[0].cells) == 2 + 5
    assert "gain over random" in " ".join(out.split())


def test_axes_apart_run_the_same_cells_as_lists(heatmark: Heatmark, tmp_path: Path) -> None:
    heatmark("sweep", *QUICK, "layer=[middle,last]", "name=lists")
    heatmark(
        "sweep",
        "-m",
        *(o for o in QUICK if "method=" not in o),
        "layer=middle,last",
        "method=grad_cam,random",
        "name=axes",
    )
    lists, axes = (pd.read_parquet(tmp_path / "results" / "runs" / n / "results.parquet") for n in ("lists", "axes"))
    pd.testing.assert_frame_equal(lists, axes)


@pytest.mark.parametrize("command", ["sweep", "explain", "check", "bench", "layers"])
@pytest.mark.parametrize("name", ["../x", "a/b", "..", "''"])
def test_a_run_that_is_written_has_one_path_component(
    command: str, name: str, heatmark: Heatmark, tmp_path: Path
) -> None:
    code, _, err = heatmark(command, f"name={name}")
    assert code == 1
    assert "expected one path component" in err
    assert not list(tmp_path.iterdir())


def test_what_failed_before_does_not_fail_a_run_for_ever(heatmark: Heatmark) -> None:
    assert heatmark("sweep", *QUICK, "layer=layer9")[0] == 1
    code, out, _ = heatmark("sweep", *QUICK)
    assert code == 0
    assert "layer9" not in out  # once the job is repeated rightly, the mistake is in no table
    assert heatmark("sweep", *QUICK, "layer=layer9")[0] == 1


def test_options_tell_two_methods_of_one_name_apart(heatmark: Heatmark) -> None:
    options = [o for o in QUICK if not o.startswith("method=")]
    _, out, _ = heatmark("sweep", "-m", *options, "method=[rise,random]", "method.rise.masks=4,8")
    assert "rise masks=4" in out
    assert "rise masks=8" in out


def test_other_pictures_are_another_table(heatmark: Heatmark) -> None:
    heatmark("sweep", *QUICK)
    _, out, _ = heatmark("sweep", *QUICK, "dataset.seed=1")
    assert out.count("random-0) on shapes") == 2
    assert set(re.findall(r" grad_cam +(\S+)", out)) == {"layer3"}  # called the same in both, without a key behind it
    results = pd.read_parquet("results/runs/t/results.parquet")
    assert results["image"].nunique() == 6


@pytest.mark.parametrize(("command", "goes_on"), [("sweep", True), ("check", False), ("bench", False)])
def test_only_a_sweep_that_was_stopped_goes_on(
    command: str, goes_on: bool, heatmark: Heatmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"heatmark.benchmarks.commands.{command}.main", stopped)
    code, _, said = heatmark(command)
    assert code == 130
    assert f"heatmark {command}: stopped" in said
    assert ("to go on" in said) == goes_on


def test_a_job_that_was_stopped_is_told(heatmark: Heatmark, tmp_path: Path) -> None:
    heatmark("sweep", *QUICK)
    (asked,) = (tmp_path / "results" / "runs" / "t" / "requests").glob("*.json")
    asked.write_text(asked.read_text().replace('"status": "done"', '"status": "running"'))
    assert "not finished: shapes_residual on shapes" in heatmark("gather", "t")[1]


def test_a_job_that_cannot_run_any_more_keeps_its_numbers(heatmark: Heatmark, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    picture(pictures / "a.png")
    options = [o for o in QUICK if not o.startswith("dataset")] + ["dataset=folder", f"dataset.root={pictures}"]
    heatmark("sweep", *options)
    pictures.rename(tmp_path / "away")
    assert heatmark("sweep", *options)[0] == 1
    results = pd.read_parquet(tmp_path / "results/runs/t/results.parquet")
    assert (results["status"] == "error").sum() == 1
    assert results["value"].notna().sum() == (1 + 5) * 2  # grad_cam and five draws of random
    (tmp_path / "away").rename(pictures)
    assert heatmark("sweep", *options)[0] == 0


def test_figures_and_report_need_no_dataset(heatmark: Heatmark, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    picture(tmp_path / "mine" / "a.png")
    options = [o for o in QUICK if not o.startswith("dataset")] + [
        "dataset=folder",
        f"dataset.root={tmp_path / 'mine'}",
    ]
    heatmark("sweep", *options)
    (tmp_path / "mine" / "a.png").unlink()
    (tmp_path / "mine").rmdir()
    code, out, _ = heatmark("figures", "t", "only=[qualitative]")
    assert (code, "qualitative.pdf, .png" in out) == (0, True)
    assert heatmark("report", "t")[0] == 0
    html = (tmp_path / "results" / "runs" / "t" / "report.html").read_text()
    assert html.count("data:image/webp") >= 1
    assert "Missing pictures" not in html


def test_a_configuration_that_is_only_shown_runs_nothing(heatmark: Heatmark, tmp_path: Path) -> None:
    code, out, _ = heatmark("sweep", *QUICK, "--cfg=job")
    assert code == 0
    assert "repeats: 1" in out
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["method=[grad_cma]"], "unknown method 'grad_cma': did you mean grad_cam"),
        (["model=resnet81"], "unknown model 'resnet81': did you mean resnet18"),
        (["metric=[deletoin]"], "did you mean deletion"),
        (["metod=[grad_cam]"], "unknown option 'metod': did you mean method"),
        (["metric.deletion.stepz=3"], "did you mean metric.deletion.steps"),
        (["+metric.deletion.stepz=3"], "has no option 'stepz': did you mean steps?"),
        (["metric.deletion.steps=two"], "steps"),
        (["peers=false"], "unknown option 'peers': there are name, results_dir, device, precision, seed, model,"),
        (["layer=features[28]"], "unknown layer 'features.28' of shapes_residual"),
        (["layer=blocks.*.norm1"], "no layer of shapes_residual that gives a map matches 'blocks.*.norm1'"),
        (["method=rise(mask=8)"], "method=rise(mask=8) has no option 'mask': did you mean masks?"),
        (["method=rise(masks=two)"], "method=rise(masks=two): option masks is 'two' (str), expected int"),
        (["method=rise(8)"], "cannot read '8' in rise(8): expected OPTION=VALUE"),
        (["method=[rise(masks=8]"], "a bracket lacks its other half"),
        (["method=rize(masks=8)"], "unknown method 'rize': did you mean rise"),
        (["method=captm_*"], "no method matches 'captm_*': did you mean captum_lime"),
        (["method=mine.yaml"], "only a model or a dataset is given as a file"),
        (["model=timm:vit"], "model=timm:vit has an unknown source 'timm': expected one of torchvision"),
        (["model=resnet18.yaml"], "there is no such file; did you mean resnet18, resnet50"),
        (["model=shapes_plain(weight=null)"], "model has no option 'weight': did you mean weights?"),
        (["metric=deletion", "metric.lerf.steps=7"], "because metric lerf is not selected: add it"),
        (["metric.deletion.baseline=blurr"], "did you mean blur"),
        (["layer=lsat"], "unknown layer 'lsat' of shapes_residual: did you mean last"),
        (["target=circel"], "did you mean circle"),
        (["target=99"], "out of range"),
        (["device=cud"], "did you mean"),
        (["batch_size=-1"], "batch_size is -1, expected a positive number or auto"),
        (["batch_size=abc"], "batch_size is 'abc'"),
        (["timing.repeats=0"], "repeats"),
        (["timing=false"], "timing=false sets no option of it: give timing.phase=false"),
        (["layer=[]"], "layer is empty, expected at least one"),
        (["dataset=folder"], "dataset.root"),
        (["dataset=folder", "dataset.root=nowhere"], "nowhere"),
        (["model.checkpoint=nowhere.safetensors"], "nowhere.safetensors"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else None,
)
def test_a_mistake_is_one_paragraph_that_names_it(heatmark: Heatmark, arguments: list[str], message: str) -> None:
    options = [o for o in QUICK if o.partition("=")[0] not in {a.partition("=")[0] for a in arguments}]
    if "dataset=folder" in arguments:
        options.remove("dataset.limit=3")
    code, out, err = heatmark("sweep", *options, *arguments)
    assert code == 1
    assert message in (out + err).replace("\n", " ")
    assert "Traceback" not in out + err


@pytest.mark.parametrize("several", [[], ["-m"]])
def test_an_error_begins_with_what_is_wrong(several: list[str], heatmark: Heatmark) -> None:
    code, _, err = heatmark("explain", *several, "image=nope.png")
    assert (code, err) == (1, "heatmark explain: there is no picture nope.png\n")


def picture(path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)


def test_a_truncated_picture_is_named(heatmark: Heatmark, tmp_path: Path) -> None:
    picture(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:600])
    code, out, err = heatmark(
        "sweep", *(o for o in QUICK if "limit" not in o), "dataset=folder", f"dataset.root={tmp_path}"
    )
    assert code == 1
    assert "cut.jpg" in out + err
    assert "Traceback" not in out + err


def test_an_empty_folder_is_named(heatmark: Heatmark, tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    code, out, err = heatmark("sweep", *(o for o in QUICK if "limit" not in o), "dataset=folder", "dataset.root=void")
    assert code == 1
    assert "void" in out + err


def test_a_checkpoint_of_another_architecture_is_named(heatmark: Heatmark, tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    code, out, err = heatmark("sweep", *QUICK[1:], "model.checkpoint=other.safetensors")
    assert code == 1
    assert "other.safetensors" in out + err
    assert "missing" in out + err


def test_two_checkpoints_of_one_name_are_two_sets_of_rows(heatmark: Heatmark, tmp_path: Path) -> None:
    for seed, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        net = build(
            compose_command("sweep", ["model=shapes_plain", "model.weights=null", f"seed={seed}"]).model, "model"
        )
        torch.save(net.module.state_dict(), tmp_path / folder / "best.pth")
    options = [option for option in QUICK if not option.startswith("model.weights")]
    for folder in "ab":
        code, out, _ = heatmark("sweep", *options, "model=shapes_plain", f"model.checkpoint={folder}/best.pth")
        assert code == 0, out
    results = pd.read_parquet("results/runs/t/results.parquet")
    rows = results.groupby(["weights", "weights_digest"]).size()
    assert list(rows) == [(1 + 5) * 3 * 2] * 2  # grad_cam and five draws of random, 3 images, 2 metrics
    assert [name for name, _ in rows.index] == ["a/best", "b/best"]
    assert rows.index.get_level_values("weights_digest").nunique() == 2
    assert results["images_digest"].nunique() == 1
    assert "shapes_plain (a/best) on shapes, top-1" in out  # the accuracy is found under the new name
    assert "shapes_plain (b/best) on shapes, top-1" in out
    for weights, cells in results.groupby("weights"):
        timing = pd.read_parquet("results/runs/t/timing.parquet")
        assert set(timing.loc[timing["weights"] == weights, "cell"]) == set(cells["cell"])


@pytest.mark.parametrize(
    ("end", "words"),
    [("SingleLogit", "gives a single logit per image"), ("Sigmoids", "its last operation is a sigmoid")],
)
def test_every_command_that_predicts_refuses_what_is_no_logits(heatmark: Heatmark, end: str, words: str) -> None:
    Image.new("RGB", (32, 32), (200, 30, 10)).save("p.png")
    net = ["model=custom", f"model.module._target_={Sigmoids.__module__}.{end}"]
    for command in (
        ["sweep", *(o for o in QUICK if o != "model.weights=null"), *net, "layer=0"],
        ["explain", "image=p.png", "method=[grad_cam]", *net, "layer=0"],
        ["check", *net, "layer=0", "dataset=shapes", "method=[grad_cam]", "libraries=false"],
    ):
        code, out, err = heatmark(*command)
        assert code == 1, command[0]
        assert words in " ".join((out + err).split()), command[0]


def test_a_model_that_gives_nan_is_an_error_row(heatmark: Heatmark, tmp_path: Path) -> None:
    options = [o for o in QUICK if o != "model.weights=null"]
    code, out, err = heatmark(
        "sweep", *options, "model=custom", "model.name=broken", f"model.module._target_={NaNModel.__module__}.NaNModel"
    )
    assert code == 1
    assert "NaN" in out + err
    rows = pd.read_parquet(tmp_path / "results" / "runs" / "t" / "results.parquet")
    assert rows["status"].tolist() == ["error"]
    assert "NaN" in rows["reason"].item()


def test_a_bad_job_does_not_cost_the_good_one(heatmark: Heatmark, tmp_path: Path) -> None:
    code, _, _ = heatmark("sweep", "-m", *QUICK, "dataset.size=128,7")
    assert code == 1
    rows = pd.read_parquet(tmp_path / "results" / "runs" / "t" / "results.parquet")
    assert sorted(set(rows["status"])) == ["error", "ok"]


def test_a_derived_metric_is_ranked_like_others_and_what_is_forgotten_is_not_frozen(
    heatmark: Heatmark, tmp_path: Path
) -> None:
    options = [o.replace("lerf", "insertion") for o in QUICK]
    heatmark("sweep", *options, "metric=[deletion,insertion,insertion_minus_deletion]")
    results = pd.read_parquet(tmp_path / "results/runs/t/results.parquet")
    summary = pd.read_csv(tmp_path / "results/runs/t/summary.csv").set_index(["metric", "method"])
    wide = results.pivot_table(index=["method", "image"], columns="metric", values="value")
    expected = (wide["insertion"] - wide["deletion"]).groupby("method").mean()
    assert summary.loc["insertion_minus_deletion", "mean"].to_dict() == pytest.approx(expected.to_dict())
    assert wide["insertion_minus_deletion"].groupby("method").mean().to_dict() == pytest.approx(expected.to_dict())
    heatmark("forget", "t", "method=random")
    assert heatmark("freeze", "t")[0] == 0
    assert set(pd.read_parquet(tmp_path / "results/frozen/t/results.parquet")["method"]) == {"grad_cam"}


def test_a_wrong_option_of_a_sweep_leaves_nothing_behind(heatmark: Heatmark, tmp_path: Path) -> None:
    for wrong in ("keep_maps=some", "retry=yes", "shard=3/3"):
        assert heatmark("sweep", *QUICK, wrong)[0] == 1
    assert not (tmp_path / "results/runs/t/requests").exists()

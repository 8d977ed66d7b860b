"""Tests of the bench: groups of calls, forward passes counted, verdicts, and its command."""

import io
import math

import pandas as pd
import pytest
import torch
from rich.console import Console
from torch import nn

from heatmark.benchmarks import bench
from heatmark.benchmarks.bench import (
    FIVE,
    Entry,
    Group,
    Subject,
    cam_groups,
    curve_group,
    curve_images,
    measure,
    verdict,
)
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.xgrad_cam import XGradCAM

OURS = dict(zip(FIVE, (GradCAM(), GradCAMPlusPlus(), XGradCAM(), HiResCAM(), LayerCAM()), strict=True))


class Counting(nn.Module):
    """A small classifier that counts the images it sees."""

    def __init__(self):
        super().__init__()
        self.features, self.head, self.seen = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), 0

    def forward(self, images):
        self.seen += len(images)
        return self.head(self.features(images).relu().mean(dim=(2, 3)))


@pytest.fixture
def counted():
    torch.manual_seed(0)
    return Subject("counting", Counting().eval(), "features", torch.randn(2, 3, 8, 8), torch.tensor([1, 3]))


def test_methods_that_are_missing_are_named_before_anything_is_timed(counted):
    with pytest.raises(ValueError, match="the bench needs the methods grad_cam_pp, xgrad_cam"):
        next(cam_groups(counted, {"grad_cam": GradCAM()}, ablation=False, slow=False))


def test_five_cams_from_one_capture_are_the_five_cams_for_one_forward(counted):
    together = counted.five_from_one_capture(list(OURS.values()))
    assert counted.module.seen == 2
    for maps, method in zip(together, OURS.values(), strict=True):
        assert torch.equal(maps, counted.explain(method))


def test_groups_name_every_library_and_leave_the_slow_one_out_unless_asked(counted):
    names = [*FIVE, "ablation_cam", "captum_layer_grad_cam", *(f"pgc_{n}" for n in (*FIVE, "ablation_cam"))]
    methods = dict.fromkeys(names, GradCAM()) | OURS

    def whats(**options):
        return [[e.what for e in g.entries] for g in cam_groups(counted, methods, **options)]

    quick = [["Grad-CAM", "five CAMs", "Grad-CAM"], ["Grad-CAM", "five CAMs"]]
    assert whats(ablation=False, slow=True) == quick
    assert whats(ablation=True, slow=False) == [*quick, ["Ablation-CAM"]]
    assert whats(ablation=True, slow=True) == [*quick, ["Ablation-CAM"], ["Ablation-CAM"]]


def test_a_curve_runs_as_many_images_as_its_ideal(counted):
    group = curve_group(counted, steps=7, batch_size=4)
    seen = []
    for call in (group.forward, *(entry.call for entry in group.entries)):
        counted.module.seen = 0
        call()
        seen.append(counted.module.seen)
    assert seen == [16, 16, 16]


@pytest.mark.parametrize(("batch_size", "steps", "images"), [(4, 31, 2), (64, 31, 2), (128, 31, 4), (16, 7, 2)])
def test_curves_fill_whole_batches(batch_size, steps, images):
    assert curve_images(batch_size, steps) == images


def test_rows_hold_timing_target_and_verdict(counted, monkeypatch):
    times = {"forward": [10.0, 20.0, 10.0], "0": [10.5, 21.0, 10.5], "1": [34.0, 68.0, 34.0], "2": [12.0, 24.0, 12.0]}
    monkeypatch.setattr(bench, "interleaved", lambda *_: times)
    entries = [
        Entry("Grad-CAM", "heatmark", print),
        Entry("Grad-CAM", "pytorch_grad_cam", print),
        Entry("five CAMs", "heatmark", print),
    ]
    ours, theirs, five = measure(Group(counted, 2, counted.forward, entries), "fp32", 3, 1)
    assert (ours["cost_in_forwards"], ours["target"], ours["verdict"]) == (pytest.approx(1.05), 1.10, "met")
    assert (theirs["cost_in_forwards"], theirs["verdict"]) == (pytest.approx(3.4), "")
    assert math.isnan(theirs["target"])
    assert (five["latency_ms"], five["forward_ms"], five["verdict"]) == (12.0, 10.0, "missed")
    assert (five["model"], five["layer"], five["batch_size"]) == ("counting", "features", 2)


def test_targets():
    assert bench.target("Grad-CAM", "resnet50") == 1.10
    assert bench.target("Grad-CAM", "vgg16") == 1.15
    assert bench.target("deletion", "vgg16") == 1.08
    assert verdict(1.10, 1.10) == "met"
    assert verdict(1.11, 1.10) == "missed"
    assert verdict(float("nan"), 1.10) == "missed"


def test_table_fits_100_columns_and_says_everything():
    from heatmark.benchmarks.commands.bench import table

    row = {
        "model": "mobilenet_v3_small",
        "what": "Ablation-CAM",
        "implementation": "pytorch_grad_cam",
        "batch_size": 16,
        "latency_ms": 123456.7,
        "latency_iqr_ms": 1234.5,
        "forward_ms": 7654.3,
        "cost_in_forwards": 469.12,
        "target": 4.0,
        "verdict": "missed",
        "device": "cpu",
    }
    console = Console(width=100, file=io.StringIO())
    console.print(table(pd.DataFrame([row, {**row, "target": math.nan, "verdict": ""}])))
    text = console.file.getvalue()
    for cell in ("mobilenet_v3_small", "pytorch_grad_cam", "123456.7", "1234.5", "469.12", "4.00", "missed"):
        assert cell in text
    assert "…" not in text


@pytest.mark.slow
def test_the_command_runs_beside_the_libraries(tmp_path, monkeypatch, capsys):
    from heatmark.benchmarks.cli import dispatch

    options = ["models=[squeezenet1_1]", "batch_sizes=[1]", "image_pixels=64", "curve_steps=7", "repeats=1"]
    assert dispatch(["bench", *options, f"results_dir={tmp_path}"]) == 0
    frame = pd.read_parquet(tmp_path / "bench" / "bench.parquet")
    assert set(frame["implementation"]) == {"heatmark", "pytorch_grad_cam", "captum"}
    assert set(frame["what"]) == {"Grad-CAM", "five CAMs", "deletion", "insertion"}
    assert (frame["cost_in_forwards"] > 0).all()
    assert "five CAMs" in capsys.readouterr().out

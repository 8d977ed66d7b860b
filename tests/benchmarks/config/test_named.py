"""Tests of objects built from strings without a command line."""

import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from torch import nn

from heatmark.benchmarks.config import named, options
from heatmark.benchmarks.config.arguments import rewritten
from heatmark.benchmarks.config.building import build_classifier
from heatmark.benchmarks.config.compose import compose_command, run_command
from heatmark.benchmarks.data.shapes import Shapes
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.random_map import RandomMap
from heatmark.methods.rise import RISE
from heatmark.metrics.deletion import Deletion

NET = f"""
name: mine
module:
  _target_: {__name__}.Net
  width: 5
weights: null
layers: {{last: "0"}}
"""


class Net(nn.Sequential):
    """A network of one convolution."""

    def __init__(self, width: int = 4) -> None:
        super().__init__(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_what_ships_is_known_and_matched() -> None:
    assert {"deletion", "insertion", "insertion_minus_deletion"} <= set(named.known("metric"))
    assert named.matching("metric", "*") == named.known("metric")
    assert named.matching("method", "*cam_pp") == ["grad_cam_pp", "pgc_grad_cam_pp"]
    assert named.matching("method", "rise( masks = 8 )") == ["rise(masks=8)"]
    assert named.matching("model", "torchvision:regnet_y_400mf") == ["torchvision:regnet_y_400mf"]
    assert named.matching("method", "r*(seed=2)") == ["random(seed=2)", "rise(seed=2)"]


def test_a_metric_with_a_star_is_that_metric_under_every_preset() -> None:
    deletion = ["deletion", *(f"deletion(preset={name})" for name in Deletion.presets if name != "heatmark-1")]
    assert named.matching("metric", "deletion*") == named.matching("metric", "deletion(preset=*)") == deletion
    assert named.matching("metric", "deletion") == ["deletion"]
    assert named.matching("metric", "del*") == ["deletion"]
    assert named.matching("metric", "road*") == ["road", "road(preset=road-pgc)", "road_combined", "road_lerf"]
    rise = ["deletion(steps=4,preset=rise-2018)", "deletion(steps=4,preset=rise-notebook)"]
    assert named.matching("metric", "del*(steps=4,preset=rise-*)") == rise
    metrics = named.metrics(["deletion*"])
    assert {metric.preset for metric in metrics.values()} == set(Deletion.presets)
    assert len({metric.path for metric in metrics.values()}) == len(metrics)
    assert rewritten("sweep", ["metric=[deletion(preset=rise-*)]"]) == [
        "metric=['deletion(preset=rise-2018)','deletion(preset=rise-notebook)']"
    ]


def test_methods_and_metrics_have_their_strings_as_names() -> None:
    for _ in range(2):  # in one process
        found = named.methods(["rise(masks=8)", "rise( masks=8 )", "grad_cam", "rand*", "rise(masks=8,seed=7)"], seed=3)
        assert found == {
            "rise(masks=8)": RISE(masks=8, seed=3),
            "grad_cam": GradCAM(),
            "random": RandomMap(seed=3),
            "rise(masks=8,seed=7)": RISE(masks=8, seed=7),
        }
        assert list(found) == ["rise(masks=8)", "grad_cam", "random", "rise(masks=8,seed=7)"]
    scored = named.metrics(["deletion", "deletion(steps=14,baseline=mean)"], seed=1)
    assert scored == {
        "deletion": Deletion(seed=1), "deletion(steps=14,baseline=mean)": Deletion(14, "mean", seed=1)
    }  # fmt: skip
    assert named.methods([]) == {}


@pytest.mark.parametrize(
    ("group", "text", "message"),
    [
        ("method", "rize", "unknown method 'rize': did you mean rise"),
        ("method", "rize(masks=1)", "unknown method 'rize': did you mean rise"),
        ("method", "rise(mask=1)", r"method=rise\(mask=1\) has no option 'mask': did you mean masks"),
        ("method", "rise(masks=null)", r"method=rise\(masks=null\): option masks is None"),
        ("method", "rise(masks=choice(1,2))", "an option has one value, got choice"),
        ("method", "captm_*", "no method matches 'captm_.*did you mean captum_"),
        ("metric", "deletoin(steps=2)", "did you mean deletion"),
        ("metric", "deletion(steps=0)", r"^metric=deletion\(steps=0\): steps=0, expected a whole number from 1"),
        ("metric", "deletoin(preset=*)", "did you mean deletion"),
        ("metric", "entropy(preset=*)", r"metric=entropy\(preset=\*\): entropy has no presets"),
        ("metric", "deletion(preset=torchcam*)", "no preset of deletion matches 'torchcam.*did you mean torch-cam-0.5"),
        ("model", "resnet81", "unknown model 'resnet81': did you mean resnet18"),
        ("model", "timm:vit", "model=timm:vit has an unknown source 'timm': expected one of torchvision"),
        ("model", "nets/x.yaml", "model=nets/x.yaml: there is no such file"),
        ("model", "shapes_*", "stands for 4, expected one of shapes_plain, "),
        ("model", "shapes_plain(weight=null)", r"model=shapes_plain\(weight=null\) has no option 'weight'"),
        ("dataset", "shapes(limt=3)", r"dataset=shapes\(limt=3\) has no option 'limt': did you mean limit"),
    ],
)
def test_a_mistake_is_named(group: str, text: str, message: str) -> None:
    many = {"method": named.methods, "metric": named.metrics}
    one = {"model": named.model, "dataset": named.dataset}
    with pytest.raises(ValueError, match=message):
        many[group]([text]) if group in many else one[group](text)


def test_a_dataset_has_options_in_its_string_and_beside_it() -> None:
    assert named.dataset("shapes(limit=5)", {"size": 64}) == Shapes(size=64, limit=5)


@pytest.mark.parametrize("text", ["shapes_vit", "shapes_plain(weights=null)", "{file}", "{file}(module.width=6)"])
def test_a_model_is_that_of_the_command_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "my nets" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("defaults: [custom, _self_]\n" + NET)
    text = text.format(file=file)
    theirs = build_classifier(compose_command("sweep", [*rewritten("sweep", [f"model={text}"]), "seed=2"]).model)
    ours = named.model(text, seed=2)
    assert (ours.options, ours.name, ours.weights) == (theirs.options, theirs.name, theirs.weights)
    assert ours.network_digest() == theirs.network_digest()


def test_a_file_needs_no_defaults_and_the_name_of_a_shipped_model_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resnet18.yaml").write_text(NET)
    Path("whole.yaml").write_text(f"_target_: heatmark.benchmarks.models.sources.custom_model\n{NET}")
    for file in ("resnet18.yaml", "./resnet18.yaml", str(tmp_path / "whole.yaml")):
        found = named.model(file)
        assert (found.name, found.layers["last"], found.weights) == ("mine", "0", "random-0")
    for text, message in (("a: [", "is no YAML"), ("- a", "holds no options, expected a file like conf/model/")):
        Path("whole.yaml").write_text(text)
        with pytest.raises(ValueError, match=message):
            named.model("whole.yaml")


def test_options_beside_the_string_win() -> None:
    found = named.model("shapes_plain(weights=null)", {"preprocessing": {"resize": 32}, "seed": 4})
    assert (found.weights, found.preprocessing.resize) == ("random-4", 32)
    with pytest.raises(ValueError, match="model=shapes_plain has no option 'chekpoint': did you mean checkpoint"):
        named.model("shapes_plain", {"chekpoint": "x"})


def test_a_source_with_a_name_is_its_config_with_this_name() -> None:
    options.register("model", options.expanded("model", "torchvision:regnet_y_400mf(weights=null)"))
    short = compose_command("sweep", ["model='torchvision:regnet_y_400mf(weights=null)'"]).model
    assert (
        short
        == compose_command("sweep", ["model=torchvision", "model.name=regnet_y_400mf", "model.weights=null"]).model
    )


INSIDE: list[bool] = []


def look(config: DictConfig) -> None:
    """A job that builds from strings, and notes whether its Hydra is the one around it."""
    around = GlobalHydra.instance().hydra
    named.methods(["rise(masks=8)"])
    INSIDE.append(around is not None and GlobalHydra.instance().hydra is around)


def test_hydra_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["x", "name=t"])
    INSIDE.clear()
    GlobalHydra.instance().clear()
    named.methods(["grad_cam"])
    assert GlobalHydra.instance().hydra is None
    run_command("sweep", look)
    assert INSIDE == [True]


def test_one_composition_per_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(*given: object) -> DictConfig:
        calls.append(str(given[0]))
        return compose_command(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(named, "compose_command", counted)
    monkeypatch.setattr(options, "compose_command", counted)
    for call in (
        lambda: named.methods(["rise(masks=8)", "*cam", "random"]),
        lambda: named.metrics(["*", "deletion(steps=2)"]),
        lambda: named.model("shapes_plain(weights=null)", {"seed": 1}),
        lambda: named.dataset("shapes(limit=2)"),
    ):
        calls.clear()
        call()
        assert len(calls) == 1

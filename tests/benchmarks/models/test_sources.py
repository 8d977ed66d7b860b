"""Every model of conf/ is built as configured: weights, classes, preprocessing, seeds; mistakes get one paragraph."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
from hydra import compose, initialize_config_module
from PIL import Image
from torch import Tensor, nn
from torchvision import models

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import candidate_layers, resolve_layer
from heatmark.benchmarks.models.predictions import top_k
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.sources import custom_model, embedded_model, torchvision_model
from heatmark.common.features import TokenLayout

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "data"
SQUEEZENET = SHARED / "squeezenet1_1_imagenet.safetensors"
SLOW = ("vgg16", "vit_b_16")
needs_shared = pytest.mark.skipif(not SQUEEZENET.is_file(), reason="needs ../shared/data, which is not here")


def _composed(*overrides: str) -> Classifier:
    with initialize_config_module("heatmark.conf", version_base="1.3"):
        config = compose("layers", overrides=list(overrides))
    classifier: Classifier = build(config.model, overrides[0])
    return classifier


def _names() -> list[Any]:
    names = sorted(file.stem for file in (ROOT / "conf" / "model").glob("*.yaml"))
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in names
        if name not in ("torchvision", "custom", "disconnected")
    ]


def _random_state(name: str, **options: Any) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        state: dict[str, Tensor] = models.get_model(name, weights=None, **options).state_dict()
    return state


@pytest.mark.parametrize("name", _names())
def test_every_yaml_builds_a_model_whose_roles_are_maps(name: str) -> None:
    classifier = _composed(f"model={name}", "model.weights=null", "seed=3")
    assert classifier.name == name
    assert classifier.weights == "random-3"
    assert not classifier.module.training
    maps = {layer.name: layer for layer in candidate_layers(classifier)}
    early, middle, last = (maps[classifier.layers[role]] for role in ("early", "middle", "last"))
    assert early.grid >= middle.grid >= last.grid >= (7, 7)
    side = 224 if classifier.preprocessing.crop else 128
    with torch.no_grad():
        logits = classifier.module(torch.zeros(2, 3, side, side))
    assert logits.shape == (2, len(classifier.classes))
    assert logits.isfinite().all()


def test_any_other_model_of_torchvision_by_name() -> None:
    classifier = _composed("model=torchvision", "model.name=regnet_y_400mf", "model.weights=null")
    assert len(classifier.classes) == 1000
    assert classifier.preprocessing.resize == 232
    assert resolve_layer(classifier, "last") == "trunk_output.block4.block4-5.f.c.0"


def test_random_weights_are_the_seeds_alone() -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first = torchvision_model("squeezenet1_1", weights=None, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    again, other = (torchvision_model("squeezenet1_1", weights=None, seed=seed) for seed in (1, 2))
    assert first.digest() == again.digest() != other.digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        plain = models.squeezenet1_1(weights=None)
    assert torch.equal(plain.features[0].weight, first.module.get_submodule("features.0").weight)


@needs_shared
def test_real_weights_say_what_the_pictures_show() -> None:
    classifier = torchvision_model("squeezenet1_1", checkpoint=str(SQUEEZENET))
    assert classifier.weights == "squeezenet1_1_imagenet"
    assert classifier.preprocessing == Preprocessing()
    files = sorted((SHARED / "imagenet-sample").glob("*.JPEG"))
    images = torch.stack([classifier.preprocessing.image(Image.open(file)) for file in files[:12]])
    predictions = top_k(classifier, images, 5)
    right = [best[0].target == 10 * index for index, best in enumerate(predictions)]
    assert right == [True, False, True, True, True, True, False, True, True, True, True, True]
    assert [best.name for best in predictions[0][:2]] == ["tench", "axolotl"]
    labels = [classifier.class_index(file.stem.partition("_")[2]) for file in files]
    assert labels == list(range(0, 1000, 10))


def test_a_checkpoint_gives_the_number_of_classes(tmp_path: Path) -> None:
    state = _random_state("squeezenet1_1", num_classes=7)
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "seven.pth")
    classifier = torchvision_model("squeezenet1_1", checkpoint=str(tmp_path / "seven.pth"))
    assert (classifier.weights, list(classifier.classes)) == ("seven", [])
    loaded = classifier.module.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    with torch.no_grad():
        assert classifier.module(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


def test_a_checkpoint_without_its_head_is_told(tmp_path: Path) -> None:
    state = _random_state("resnet18")
    torch.save({name: v for name, v in state.items() if not name.startswith("fc.")}, tmp_path / "trunk.pth")
    with pytest.raises(
        ValueError, match=r"2 missing \(such as fc\.weight\).*backbone, saved without its classification"
    ):
        torchvision_model("resnet18", checkpoint=str(tmp_path / "trunk.pth"))


def test_a_classifier_says_where_its_weights_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = nn.Conv2d(3, 2, 3)
    torch.save(module.state_dict(), "best.th")
    assert custom_model("net", module, checkpoint="best.th").checkpoint == str(tmp_path.resolve() / "best.th")
    assert custom_model("net", module).checkpoint == ""


@pytest.mark.parametrize("name", ["googlenet", "mnasnet0_5"])
def test_torchvisions_own_files_fit(tmp_path: Path, name: str) -> None:
    auxiliary = {"init_weights": False, "transform_input": True} if name == "googlenet" else {}
    with torch.random.fork_rng(devices=[]):
        theirs = models.get_model(name, weights=None, **auxiliary).eval()
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "file.safetensors")
    ours = torchvision_model(name, checkpoint=str(tmp_path / "file.safetensors")).module
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_old_names_of_densenet_fit(tmp_path: Path) -> None:
    state = _random_state("densenet121")
    old = {name.replace(".norm", ".norm.").replace(".conv", ".conv."): value for name, value in state.items()}
    old |= {name: value for name, value in state.items() if ".denselayer" not in name}
    old = {name: value for name, value in old.items() if ".denselayer" in name or name in state}
    safetensors.torch.save_file(old, tmp_path / "densenet.safetensors")
    loaded = torchvision_model("densenet121", checkpoint=str(tmp_path / "densenet.safetensors")).module.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_weights_come_from_torchs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = _random_state("squeezenet1_1")
    torch.save(state, folder / "squeezenet1_1-b8a52dc0.pth")
    classifier = torchvision_model("squeezenet1_1")
    assert classifier.weights == "IMAGENET1K_V1"
    assert torch.equal(classifier.module.state_dict()["features.0.weight"], state["features.0.weight"])


def test_offline_two_lines_say_how_to_provide_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, str]] = []

    def offline(url: str, dst: str, hash_prefix: str) -> None:
        asked.append((url, dst, hash_prefix))
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared below
        torchvision_model("resnet50")
    folder = tmp_path / "hub" / "checkpoints"
    assert str(caught.value).splitlines() == [
        "the weights IMAGENET1K_V2 of resnet50 are not on this machine and cannot be downloaded "
        "(Name or service not known).",
        f"Put resnet50-11ad3fa6.pth into {folder} ($TORCH_HOME/hub/checkpoints), or give model.checkpoint=FILE, "
        "or model.weights=null for random weights.",
    ]
    assert caught.value.__suppress_context__
    assert asked == [(models.ResNet50_Weights.IMAGENET1K_V2.url, str(folder / "resnet50-11ad3fa6.pth"), "11ad3fa6")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnet5"}, r"no image classifier 'resnet5': did you mean resnet50"),
        ({"name": "fasterrcnn_resnet50_fpn"}, r"fasterrcnn_resnet50_fpn is no plain image classifier"),
        ({"name": "r3d_18"}, r"r3d_18 is no plain image classifier"),
        ({"name": "resnet50", "weights": "V2"}, r"has no weights 'V2': it has IMAGENET1K_V1, IMAGENET1K_V2"),
        (
            {"name": "resnet18", "weights": None, "tokens": {"class_tokns": 1}},
            r"no option 'class_tokns': did you mean class_tokens",
        ),
        ({"name": "resnet18", "checkpoint": "absent.pth"}, r"absent\.pth does not exist"),
    ],
)
def test_a_wrong_wish_is_named(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        torchvision_model(**options)


def test_a_checkpoint_of_another_architecture_is_recognised(tmp_path: Path) -> None:
    file = tmp_path / "mystery.safetensors"
    safetensors.torch.save_file(_random_state("squeezenet1_1"), file)
    with pytest.raises(
        ValueError, match=r"mystery\.safetensors does not fit resnet18: of 122 tensors, 102 missing"
    ) as caught:
        torchvision_model("resnet18", checkpoint=str(file))
    assert "52 unexpected (such as classifier.1.bias). It may be of squeezenet1_1." in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_embedded_network_with_weights_of_its_own(tmp_path: Path) -> None:
    network = _SeededNet(4)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "mine.safetensors")
    made = embedded_model("toy", _SeededNet, None, str(tmp_path / "mine.safetensors"), classes=["a", "b", "c"])
    assert made.weights == "mine"
    assert torch.equal(made.module.state_dict()["head.weight"], network.head.weight)
    with pytest.raises(ValueError, match=r"toy\.safetensors does not exist"):
        embedded_model("toy", _SeededNet, "shapes")


def test_an_embedded_network_at_random_is_the_seeds_alone() -> None:
    state = torch.get_rng_state()
    first, second, other = (embedded_model("toy", _SeededNet, None, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert first.digest() == second.digest() != other.digest()
    assert other.weights == "random-1"


class _SeededNet(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.head = nn.Linear(width, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.conv(images).mean((2, 3)))
        return logits


def test_your_own_network_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"gave a dict, expected a torch\.nn\.Module"):
        custom_model("mine", dict)  # type: ignore[arg-type]


def test_tokens_are_told_to_the_methods() -> None:
    made = custom_model("mine", _SeededNet(), tokens={"class_tokens": 5, "grid": [3, 4]})
    assert made.module.token_layout == TokenLayout(5, (3, 4))
    assert (made.weights, made.layers) == ("own", {})


MYNET_PY = """
import torch
from torch import nn


class MyNet(nn.Sequential):
    def __init__(self, width=8):
        head = nn.Linear(width, 2)
        super().__init__(nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
"""

MYNET_YAML = """
defaults:
  - custom
  - _self_

name: mynet
module:
  _target_: my_networks.MyNet
  width: 6
layers:
  early: "1"
preprocessing:
  resize: 64
  crop: [48, 64]
classes: [cat, dog]
"""


def test_a_folder_of_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_networks.py").write_text(MYNET_PY)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mynet.yaml").write_text(MYNET_YAML)
    monkeypatch.syspath_prepend(str(tmp_path))
    search = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    made, again = (_composed(search, "model=mynet", "model.weights=null", "seed=2") for _ in range(2))
    assert (made.name, made.weights, made.classes) == ("mynet", "random-2", ["cat", "dog"])
    assert made.digest() == again.digest()
    assert made.layers == {"early": "1", "last": "auto"}
    assert (resolve_layer(made, "early"), resolve_layer(made, "last")) == ("1", "0")
    assert [(c.name, c.channels, c.grid) for c in candidate_layers(made)] == [("0", 6, (23, 31)), ("1", 6, (23, 31))]
    assert made.preprocessing.mean == [0.485, 0.456, 0.406]


def test_your_own_network_on_the_command_line() -> None:
    made = _composed("model=custom", "model.module._target_=torchvision.models.resnet18", "model.name=mine")
    assert resolve_layer(made, "last") == "layer4.1.conv2"


def test_an_option_of_preprocessing_on_the_command_line() -> None:
    made = _composed("model=squeezenet1_1", "model.preprocessing={resize: 300, crop: [288, 288]}")
    assert made.preprocessing == Preprocessing(300, [288, 288])


@pytest.mark.skipif("HEATMARK_NETWORK" not in os.environ, reason="needs a network; set HEATMARK_NETWORK=1")
def test_real_weights_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert torchvision_model("squeezenet1_1").weights == "IMAGENET1K_V1"


def test_a_network_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ValueError, match=r"model=custom: cannot import _target_ 'no\.Such' \(No module named 'no'\)"):
        _composed("model=custom", "model.module._target_=no.Such")

"""Tests of a job's preparation: keys that tell models apart, and mistakes found before the first cell."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from heatmark.benchmarks.commands.sweep import build_classifier, settings
from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.sweep.cells import cells
from heatmark.benchmarks.sweep.prepare import Plan, prepare
from heatmark.methods.grad_cam import GradCAM

QUICK = [
    "dataset.limit=2", "batch_size=2", "method=[grad_cam]", "metric.deletion.steps=2", "metric.insertion.steps=2",
]  # fmt: skip
OWN = [
    "model=custom", f"model.module._target_={__name__}.Net", "dataset.size=32", "model.preprocessing.resize=null",
    "model.preprocessing.crop=null", "layer=features",
]  # fmt: skip


class Net(nn.Module):
    """A network with an option that none of its tensors depends on."""

    def __init__(self, act: str = "relu") -> None:
        super().__init__()
        self.features, self.head, self.act = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), act

    def forward(self, images: Tensor) -> Tensor:
        activations: Tensor = getattr(torch, self.act)(self.features(images))
        logits: Tensor = self.head(activations.mean(dim=(2, 3)))
        return logits


class Scaled(Net):
    """A network with options that neither a tensor nor a public attribute of one value knows of."""

    def __init__(self, scales: Sequence[float] = (1.0,), power: float = 1.0) -> None:
        super().__init__()
        self.scales, self._power = list(scales), power

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * sum(self.scales) ** self._power


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules[Net.__module__])


def plan(*overrides: str) -> Plan:
    config = compose_command("sweep", list(overrides))
    methods, metrics = (build_all(config.get(group) or {}, group) for group in ("method", "metric"))
    dataset = build(config.dataset, "dataset")
    return prepare(build_classifier(config.model), dataset, methods, metrics, settings(config))


def key(*overrides: str) -> str:
    (cell,) = plan(*QUICK, *overrides).cells
    return cell.key


def test_options_of_the_forward_change_the_key() -> None:
    assert key(*OWN) == key(*OWN)
    assert key(*OWN) != key(*OWN, "+model.module.act=abs")


@pytest.mark.parametrize("option", ["+model.module.scales=[1.0,2.0]", "+model.module.power=2.0"])
def test_options_that_a_network_hides_change_the_key(option: str) -> None:
    own = [*OWN, f"model.module._target_={__name__}.Scaled", "+model.module.scales=[3.0]"]
    assert key(*own) == key(*own)
    assert key(*own) != key(*own, option.replace("+model.module.scales", "model.module.scales"))


def test_two_networks_of_one_class_name_have_two_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("another_file")
    other.Net = type("Net", (Net,), {"forward": lambda self, images: -Net.forward(self, images)})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "another_file", other)
    assert key(*OWN, "target=0") != key(*OWN, "target=0", "model.module._target_=another_file.Net")


def test_a_classs_name_that_stands_for_another_number_changes_the_key() -> None:
    assert key(*OWN, "target=b", "model.classes=[a,b,c]") == key(*OWN, "target=b", "model.classes=[c,b,a]")
    assert key(*OWN, "target=b", "model.classes=[a,b,c]") != key(*OWN, "target=b", "model.classes=[b,a,c]")


def test_how_tokens_lie_changes_the_key() -> None:
    assert key(*OWN) != key(*OWN, "model.tokens={class_tokens: 1}")


def test_the_seed_changes_the_key() -> None:
    assert key(*OWN) != key(*OWN, "seed=1")
    assert plan(*QUICK, *OWN, "seed=1").job.settings["seed"] == 1  # of methods and metrics without one too


def test_the_kind_of_device_changes_the_key() -> None:
    job = plan(*QUICK, *OWN).job
    assert job.settings["device"] == "cpu"
    (there,) = cells({"grad_cam": GradCAM()}, ["features"], {**job.identity(), "device": "cuda"})
    (here,) = cells({"grad_cam": GradCAM()}, ["features"], job.identity())
    assert there.key != here.key


def test_the_precision_changes_the_key() -> None:
    assert key(*OWN) != key(*OWN, "precision=bf16")


def test_the_accuracy_is_that_of_pictures_with_a_known_label(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (32, 32), "red").save(tmp_path / name)
    own = [option for option in OWN if not option.startswith("dataset")]
    folder = ["dataset=folder", f"dataset.root={tmp_path}", "dataset.limit=null"]
    options = [*QUICK, *own, *folder]
    predicted = int(plan(*options).job.targets[0])
    (tmp_path / "labels.csv").write_text(f"file,label\na.png,{predicted}\nb.png,\nc.png,{(predicted + 1) % 3}\n")
    assert plan(*options).accuracy == 0.5


def test_a_cell_without_the_bounds_that_are_asked_for_is_another_cell() -> None:
    assert key(*OWN) != key(*OWN, "metric.deletion.tie_orders=2")
    assert key(*OWN, "metric.deletion.tie_orders=2") != key(*OWN, "metric.deletion.tie_orders=3")


def test_a_preset_is_its_values() -> None:
    assert key(*OWN, "metric.deletion.preset=rise-2018") == key(*OWN, "metric.deletion.ties=raster")
    assert key(*OWN, "metric.deletion.preset=rise-2018") != key(*OWN)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("timing.repeats=0", "timing.repeats is 0, expected a whole number of at least 1"),
        ("timing.repeats=abc", "timing.repeats is 'abc'"),
        ("timing.max_seconds=null", "timing.max_seconds is None, expected a positive number"),
        ("method=[]", r"method is empty, expected at least one, such as method=\[grad_cam\]"),
        ("metric=[]", r"metric is empty, expected at least one, such as metric=\[deletion\]"),
    ],
)
def test_a_mistake_is_found_before_the_first_cell(override: str, message: str) -> None:
    options = [o for o in QUICK if not (o.startswith(("method=", "metric.")) and override.startswith(o[:6]))]
    with pytest.raises(ValueError, match=message):
        plan(*options, override)

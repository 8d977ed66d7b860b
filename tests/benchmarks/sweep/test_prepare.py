"""Tests of a job's preparation: keys that tell models apart, and mistakes found before the first cell."""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from heatmark.benchmarks.commands.sweep import settings
from heatmark.benchmarks.config.building import build, build_all, build_classifier
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.sweep.keys import model_key
from heatmark.benchmarks.sweep.prepare import Plan, prepare
from heatmark.benchmarks.sweep.shards import WHOLE

QUICK = [
    "dataset.limit=2", "batch_size=2", "method=[grad_cam]", "metric.deletion.steps=2", "metric.lerf.steps=2",
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
    return prepare(
        build_classifier(config.model),
        dataset,
        methods,
        metrics,
        settings(config, WHOLE),
        lambda _model, _device, tune: tune(),
    )


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


def test_names_of_classes_are_no_part_of_the_key() -> None:
    assert key(*OWN, "target=b", "model.classes=[a,b,c]") == key(*OWN, "target=b", "model.classes=[b,a,c]")


def test_a_network_of_the_user_that_is_edited_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(*OWN)
    monkeypatch.setattr(Net, "forward", lambda self, images: self.head(self.features(images).amax(dim=(2, 3))))
    assert key(*OWN) != before


def test_how_tokens_lie_changes_the_key() -> None:
    assert key(*OWN) != key(*OWN, "model.tokens={class_tokens: 1}")


def test_the_seed_is_in_the_keys_of_what_draws_alone() -> None:
    weights = [*OWN, "model.seed=0"]
    assert key(*weights) == key(*weights, "seed=1")
    assert (
        plan(*QUICK, *weights, "method=[random]").cells[0].key
        != plan(*QUICK, *weights, "method=[random]", "seed=1").cells[0].key
    )
    drawn, raster = [*QUICK, *weights], [*QUICK, *weights, "metric.deletion.ties=raster"]
    for overrides, same in ((drawn, False), (raster, True)):
        keys = [plan(*overrides, f"seed={seed}").request.scores[0].key for seed in (0, 1)]
        assert (keys[0] == keys[1]) == same


def test_the_kind_of_device_changes_the_key() -> None:
    made = plan(*QUICK, *OWN)
    network = made.classifier.network_digest()
    assert made.key == model_key(made.classifier, network, "fp32", "cpu")
    assert made.key != model_key(made.classifier, network, "fp32", "cuda")


def test_the_precision_changes_the_key() -> None:
    assert key(*OWN) != key(*OWN, "precision=bf16")


def test_bounds_that_are_asked_for_are_other_scores_and_more_curves_of_the_same_map() -> None:
    none, two, three = (plan(*QUICK, *OWN, f"metric.deletion.tie_orders={n}").request for n in (0, 2, 3))
    assert none.cells == two.cells == three.cells
    assert none.scores[0].curve == two.scores[0].curve
    assert len({request.scores[0].key for request in (none, two, three)}) == 3
    assert [len(request.scores[0].bounds) for request in (none, two, three)] == [0, 3, 4]


def test_a_preset_is_its_values() -> None:
    usual, preset, values = (
        plan(*QUICK, *OWN, *more).request.scores[0]
        for more in ([], ["metric.deletion.preset=rise-2018"], ["metric.deletion.ties=raster"])
    )
    assert (preset.key, preset.curve) == (values.key, values.curve)
    assert preset.key != usual.key


def test_a_derived_metric_needs_its_terms() -> None:
    asked = [o for o in QUICK if not o.startswith("metric.lerf")]
    with pytest.raises(ValueError, match="insertion_minus_deletion is derived from insertion, which the sweep has not"):
        plan(*asked, *OWN, "metric=[deletion,insertion_minus_deletion]")
    derived = plan(*asked, *OWN, "metric=[deletion,insertion,insertion_minus_deletion]", "metric.insertion.steps=2")
    assert list(derived.computed) == ["deletion", "insertion"]
    assert derived.request.metrics[2].terms == {"insertion": 1.0, "deletion": -1.0}
    assert derived.request.scores[2].key == ""


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


def test_what_was_given_is_recorded_with_its_digest(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    torch.save(Net().state_dict(), tmp_path / "net.pth")
    mine = [option for option in OWN if not option.startswith("dataset")]
    found = plan(*(o for o in QUICK if "limit" not in o), *mine, "dataset=folder", f"dataset.root={tmp_path}",
                 f"model.checkpoint={tmp_path / 'net.pth'}").request.facts["given"]  # fmt: skip
    assert found["dataset.root"] == {"given": str(tmp_path), "path": str(tmp_path), "sha256": ""}
    assert found["model.checkpoint"]["sha256"] == hashlib.sha256((tmp_path / "net.pth").read_bytes()).hexdigest()
    assert found["model.module"]["given"] == f"{__name__}.Net"
    assert found["model.module"]["path"] == str(Path(__file__).resolve())
    assert set(plan(*QUICK, "model=shapes_plain").request.facts["given"]) == {"model.module"}

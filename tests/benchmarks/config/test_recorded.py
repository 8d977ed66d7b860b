"""Tests of methods and metrics built again from what a run records of them."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.config.recorded import recorded
from heatmark.common.identity import identity, options
from heatmark.methods.fusion import FusedLayers
from heatmark.methods.rise import RISE
from heatmark.metrics.deletion import Deletion

CONF = Path(__file__).parents[3] / "conf"


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in ("method", "metric") for n in names(g)])
def test_everything_that_ships_is_built_again_with_its_identity(group: str, name: str) -> None:
    made = build(compose_command("sweep", [f"{group}=[{name}]"])[group][name], name)
    found = recorded(group, [(name, json.dumps(options(made)))])
    assert identity(found[name]) == identity(made)


def test_recorded_options_count() -> None:
    few, many = RISE(masks=10, seed=3), RISE(masks=1000)
    asked = [("rise", json.dumps(options(few))), ("rise(masks=1000)", json.dumps(options(many)))]
    found = recorded("method", asked)
    assert [identity(method) for method in found.values()] == [identity(few), identity(many)]
    metric = Deletion(steps=7, preset="rise-2018")
    (same,) = recorded("metric", [("deletion", json.dumps(options(metric)))]).values()
    assert identity(same) == identity(metric)


def test_one_name_with_two_sets_of_options_is_two_objects() -> None:
    asked = [("rise", json.dumps(options(RISE(masks=masks)))) for masks in (10, 20, 10)]
    assert sorted(method.masks for method in recorded("method", asked).values()) == [10, 20]


@pytest.mark.parametrize(
    "asked",
    [
        ("mine", "{}"), ("rise", '{"masks": "many"}'), ("rise", '{"new_option": 1}'), ("rise", '{"masks": -1}'),
        ("rise", "[]"), ("rise", "null"), ("rise", "{"), ("rise", "[" * 100_000),
    ],
)  # fmt: skip
def test_what_does_not_ship_is_left_out(asked: tuple[str, str]) -> None:
    assert recorded("method", [asked]) == {}


def test_no_class_is_taken_from_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    shipped = yaml.safe_load((CONF / "method" / "grad_cam_fused.yaml").read_text())["grad_cam_fused"]
    evil = {"_target_": "trap.Method", "class": "trap.Method", "method": {"_target_": "trap.X", "class": "trap.X"}}
    found = recorded("method", [("grad_cam_fused", json.dumps(evil))])
    (made,) = found.values()
    assert isinstance(made, FusedLayers)
    assert type(made.method).__module__ == shipped["method"]["_target_"].rpartition(".")[0]
    for value in ({"_target_": "trap.X"}, [{"_target_": "trap.X"}], {"a": {"_target_": "trap.X"}}, "${oc.env:HOME}"):
        assert recorded("method", [("rise", json.dumps({"seed": value}))]) == {}
    assert "trap" not in sys.modules

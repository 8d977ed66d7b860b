"""Tests of the message for a ``_target_`` that cannot be imported: it names what was probably meant."""

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.targets import located, targets


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("methods.grad_cam.GradCAM", "; Heatmark's own is heatmark.methods.grad_cam.GradCAM"),
        ("metrics.deletion.Deletion", "; Heatmark's own is heatmark.metrics.deletion.Deletion"),
        ("benchmarks.models.torchvision_model", "; did you mean heatmark.benchmarks.models.sources.torchvision_model?"),
        ("benchmarks.preprocessing.Preprocessing", "; did you mean heatmark.benchmarks.models.preprocessing"),
        ("heatmark.methods.grad_cam.GradCam", "; did you mean heatmark.methods.grad_cam.GradCAM"),
    ],
)  # fmt: skip
def test_an_old_target_is_named_as_it_is_now(target: str, said: str) -> None:
    for config in ({"_target_": target}, {"_target_": "builtins.dict", "inner": [{"_target_": target}]}):
        with pytest.raises(ValueError, match=r"^method=mine: cannot import _target_") as error:
            build(OmegaConf.create(config), "method=mine")
        assert repr(target) in str(error.value)
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_a_users_own_target_is_told_no_name_of_heatmarks() -> None:
    with pytest.raises(ValueError, match=r"cannot import _target_ 'mine.GradCAM' \(No module named 'mine'\)$"):
        located("mine.GradCAM", "method=mine")


def test_a_users_own_package_of_one_of_our_names_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "__init__.py").write_text("class Mine: 'Mine.'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "methods", raising=False)
    found = located("methods.Mine", "method=mine")
    monkeypatch.delitem(sys.modules, "methods")
    assert (found.__name__, found.__module__) == ("Mine", "methods")


def test_targets_are_found_at_every_depth() -> None:
    config = {"_target_": "a", "b": {"_target_": "b", "c": [{"_target_": "c"}, 1]}, "d": "_target_"}
    assert list(targets(config)) == ["a", "b", "c"]

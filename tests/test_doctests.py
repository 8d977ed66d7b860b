"""The examples in docstrings of methods and metrics run, and every method and metric of ours has one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDERS = ("methods", "metrics", "benchmarks/face", "benchmarks/config")
WITH_EXAMPLES = sorted(
    path.relative_to(ROOT)
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
TARGETS = sorted(
    {
        entry["_target_"]
        for path in [*(ROOT / "conf" / "method").glob("*.yaml"), *(ROOT / "conf" / "metric").glob("*.yaml")]
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")).values()
    }
)
OURS = [target for target in TARGETS if ".external." not in target]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_give_what_they_say(path: Path) -> None:
    results = doctest.testmod(import_module(f"heatmark.{'.'.join(path.with_suffix('').parts)}"))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("target", OURS)
def test_every_method_and_metric_has_an_example(target: str) -> None:
    module, _, name = target.rpartition(".")
    assert ">>> " in (getattr(import_module(module), name).__doc__ or "")

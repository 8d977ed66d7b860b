"""A run made, exported, verified and reused on the command line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.store import Store

Heatmark = Callable[..., tuple[int, str, str]]
SMALL = ["dataset.limit=3", "dataset.size=32"]
SWEEP = ["batch_size=3", "timing.phase=false", "metric.deletion.steps=3"]


@pytest.fixture
def published(heatmark: Heatmark) -> Path:
    """An exported run, copied to another folder."""
    methods = "method=[grad_cam,random]"
    assert heatmark("sweep", "name=mine", methods, "metric=[deletion]", *SMALL, *SWEEP)[0] == 0
    assert heatmark("export", "mine", "to=out")[0] == 0
    shutil.copytree("out", "elsewhere/published")
    shutil.rmtree("results")
    return Path("elsewhere/published")


def test_a_copy_is_verified_and_reused(published: Path, heatmark: Heatmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = heatmark("verify", str(published), "images=2", *SMALL)
    assert code == 0
    assert out.splitlines()[-1] == f"{2 * (1 + 5)} equal, 0 deviates, 0 cannot: 2 of the pictures of {published}"
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = heatmark(
        "verify", str(published), "method=grad_cam", "metric=deletion", "images=[shapes-test-size32-00001]", *SMALL
    )
    assert (code, out.splitlines()[-1].partition(":")[0]) == (0, "1 equal, 0 deviates, 0 cannot")
    code, out, err = heatmark("verify", str(published), "method=grad_cam", *SMALL, "dataset.seed=1")
    assert (code, "0 equal, 0 deviates, 3 cannot" in err) == (1, True)
    assert "is not among the 3 given" in " ".join(out.split())
    words = ["name=mine", "method=[grad_cam,random,layer_cam]", "metric=[deletion]", *SMALL, *SWEEP]
    assert heatmark("sweep", f"reuse=[{published}]", *words)[0] == 0
    (found,) = requests.read(Path("results/runs/mine"))
    (origin,) = found.facts["reused"]
    assert (origin["run"], origin["rows"]) == ("published", 3 * (1 + (1 + 5) * 3)), "predictions, maps, curves, scores"
    keys = {cell.method: cell.key for cell in found.cells}
    kept = Store(Path("results/runs/mine")).read("maps", list(keys.values())).to_pylist()
    assert {row["key"] for row in kept if row["map"] is not None} == {keys["layer_cam"]}, "an export has no maps"


def test_a_run_to_reuse_must_be_there(heatmark: Heatmark) -> None:
    code, _, err = heatmark("sweep", "name=mine", "reuse=[nowhere]", *SMALL)
    assert (code, "no run 'nowhere'" in err) == (1, True)
    assert not Path("results/runs/mine/requests").exists()

"""Tests of ``heatmark sweep --dry-run``: it says what a sweep would cost, and leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path

import pytest

Heatmark = Callable[..., tuple[int, str, str]]

SMALL = (
    "sweep", "model.weights=null", "dataset.limit=3", "metric.deletion.steps=2", "metric.lerf.steps=3",
    "batch_size=2", "timing.phase=false", "method=[grad_cam,random]",
)  # fmt: skip


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def test_a_dry_run_says_the_costs_and_leaves_nothing_behind(heatmark: Heatmark, tmp_path: Path) -> None:
    code, out, _ = heatmark(*SMALL, "--dry-run")
    assert code == 0
    assert "shapes_residual on shapes: 3 pictures, 2 cells, 0 skipped" in out
    assert [line.split()[1:3] for line in out.splitlines() if line.startswith("    m")] == [
        ["grad_cam", "8"],
        ["random", "0"],
        ["deletion", "30"],  # 3 images of 3 points in batches of 2; of the five draws of random both ends are known
        ["lerf", "40"],  # 3 images of 4 points, of which the whole image is known; then without both ends
    ]
    assert "together" in out
    assert "batches of 2" in out
    assert files(tmp_path) == {}


def test_a_dry_run_says_what_a_metric_needs_of_the_pictures(heatmark: Heatmark) -> None:
    metrics = "metric=[energy_inside,deletion(baseline=counterfactual,steps=2),lerf(steps=2)]"
    others = [each for each in SMALL if not each.startswith("metric.")]
    code, out, _ = heatmark(*others, metrics, "--dry-run")
    assert code == 0
    last = {line.split()[1]: line.split()[-1] for line in out.splitlines() if line.startswith("    metric")}
    assert last["energy_inside"] == "masks"
    assert last["deletion(baseline=counterfactual,steps=2)"] == "counterfactuals"
    assert last["lerf(steps=2)"].isdigit()
    assert "  masks: none on pictures without a mask of the class explained, which have no value" in out
    assert "  labels: " not in out


def test_a_dry_run_of_a_finished_sweep_changes_no_file(heatmark: Heatmark, tmp_path: Path) -> None:
    assert heatmark(*SMALL)[0] == 0
    before = files(tmp_path)
    code, out, _ = heatmark(*SMALL, "dry_run=true")
    assert code == 0
    assert "stored already: predictions 3 of 3, maps 18 of 18, scores 36 of 36" in out
    assert files(tmp_path) == before


@pytest.mark.parametrize("spelt", ["dry_run=True", "dry_run=yes", "dry_run=1", "+dry_run=true", "++dry_run=TRUE"])
def test_every_spelling_of_a_dry_run_is_one(spelt: str, heatmark: Heatmark, tmp_path: Path) -> None:
    code, out, _ = heatmark(*SMALL, spelt)
    assert (code, files(tmp_path)) == (0, {})
    assert "passes still to be made" in out


@pytest.mark.parametrize("spelt", ["dry_run=", "dry_run=ture", "dry_run=${x}"])
def test_a_dry_run_that_is_neither_yes_nor_no_runs_nothing(spelt: str, heatmark: Heatmark, tmp_path: Path) -> None:
    code, _, err = heatmark(*SMALL, spelt)
    assert code == 1
    assert "expected true or false" in err
    assert files(tmp_path) == {}


def test_a_file_that_asks_for_a_dry_run_runs_nothing(heatmark: Heatmark, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "careful.yaml").write_text("# @package _global_\ndry_run: true\n")
    code, _, err = heatmark(*SMALL, "experiment=careful", f"hydra.searchpath=[file://{tmp_path}]")
    assert code == 1
    assert "give --dry-run on the command line" in err
    assert not list(tmp_path.rglob("*.parquet"))


def test_several_jobs_have_a_table_each_and_a_total(heatmark: Heatmark, tmp_path: Path) -> None:
    two = ("model=shapes_residual,shapes_plain", "hydra/launcher=joblib")
    code, out, _ = heatmark(*SMALL, *two, "-m", "--dry-run")
    assert code == 0
    assert "shapes_plain on shapes" in out
    assert "2 jobs together: 164 passes" in out
    assert files(tmp_path) == {}


def test_a_job_that_cannot_run_is_said(heatmark: Heatmark, tmp_path: Path) -> None:
    code, out, _ = heatmark(*SMALL, "layer=nowhere", "--dry-run")
    assert code == 1
    assert "shapes_residual cannot run: " in out
    assert "nowhere" in out
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["a=1"], 0),
        (["a=1,2"], 0),
        (["-m", "a=1,2", "b=x"], 2),
        (["--multirun", "a=1,2", "b=range(3)"], 6),
        (["-m", "a=glob(*)"], 0),
    ],
)
def test_the_number_of_jobs_of_a_call(arguments: list[str], count: int) -> None:
    from heatmark.benchmarks.commands.sweep import job_count

    assert job_count(arguments) == count

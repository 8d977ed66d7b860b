"""Tests that jobs run in other processes: they pickle by name, and two workers make the run that one makes."""

import importlib
import importlib.util
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pandas as pd
import pytest

from heatmark.benchmarks.cli import EXAMPLES

WITHOUT_HYDRA = {"gather", "time"}
"""Commands without a job of their own; ``time`` runs that of ``sweep``."""
JOBLIB = "hydra_plugins.hydra_joblib_launcher"

LOAD = "import cloudpickle, sys; print(*(f'{j.__module__}.{j.__name__}' for j in cloudpickle.load(sys.stdin.buffer)))"


def test_jobs_are_found_by_their_names_in_a_fresh_process() -> None:
    modules = [f"heatmark.benchmarks.commands.{command}" for command in sorted(set(EXAMPLES) - WITHOUT_HYDRA)]
    jobs = [importlib.import_module(module).job for module in modules]
    assert max(len(cloudpickle.dumps(job)) for job in jobs) < 200, "a job's name, not its code"
    done = subprocess.run([sys.executable, "-c", LOAD], input=cloudpickle.dumps(jobs), capture_output=True, check=True)
    assert done.stdout.decode().split() == [f"{module}.job" for module in modules]


def installed(package: str) -> bool:
    """Return whether a plugin of Hydra's can be imported."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.skipif(not installed(JOBLIB), reason="hydra-joblib-launcher is not installed")
def test_two_workers_make_the_run_that_one_makes(tmp_path: Path) -> None:
    given = [
        "model=shapes_plain,shapes_residual", "model.weights=null", "dataset.limit=4", "metric.deletion.steps=2",
        "metric.lerf.steps=2", "batch_size=2", "timing.phase=false", "method=[grad_cam,random]",
    ]  # fmt: skip
    workers = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    for words in ([*given, "name=one"], [*given, *workers, "name=two"], [*given, *workers, "shards=2", "name=shards"]):
        done = subprocess.run(
            [sys.executable, "-m", "heatmark", "sweep", "-m", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    one, two, shards = (
        pd.read_parquet(tmp_path / f"results/runs/{n}/results.parquet") for n in ("one", "two", "shards")
    )
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(one, shards)


NET = """
from torch import nn
class Net(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def shell(line: str, folder: Path) -> str:
    """Run a line as it is typed into a shell; return what it prints."""
    script = line.replace("heatmark ", f"{shlex.quote(sys.executable)} -m heatmark ", 1)
    done = subprocess.run(script, shell=True, cwd=folder, capture_output=True, text=True, executable="/bin/sh")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the recorded line is one of a POSIX shell")
@pytest.mark.parametrize("launcher", ["", "hydra/launcher=joblib hydra.launcher.n_jobs=2"])
def test_a_line_with_files_and_option_sets_and_the_recorded_line_make_the_same_run(
    launcher: str, tmp_path: Path
) -> None:
    if launcher and not installed(JOBLIB):
        pytest.skip("hydra-joblib-launcher is not installed")
    (tmp_path / "my nets").mkdir()
    (tmp_path / "mynet.py").write_text(NET)
    (tmp_path / "my nets/mine.yaml").write_text("name: mine\nmodule: {_target_: mynet.Net, width: 5}\nweights: null\n")
    given = (
        "'model=[shapes_plain(weights=null), my nets/mine.yaml]' 'method=[rise(masks=4,cells=5), random]' "
        "'metric=[deletion(steps=2), deletion(steps=2,baseline=mean)]' dataset.limit=2 batch_size=2 timing.phase=false"
    )
    shell(f"heatmark sweep {launcher} {given} name=run", tmp_path)
    run = tmp_path / "results/runs/run"
    first = pd.read_parquet(run / "results.parquet")
    assert sorted(set(first["model"])) == ["mine", "shapes_plain"]
    assert set(first["method"]) == {"rise(masks=4,cells=5)", "random"}
    assert set(first["metric"]) == {"deletion(steps=2)", "deletion(steps=2,baseline=mean)"}
    assert len(first) == 2 * (1 + 5) * 2 * 2  # random has five draws
    shutil.rmtree(run / "store")
    lines = shell("heatmark status run", tmp_path).splitlines()
    for line in lines[lines.index("to continue:") + 1 :]:
        shell(line, tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(run / "results.parquet"), first)


@pytest.mark.skipif(not installed(JOBLIB), reason="hydra-joblib-launcher is not installed")
def test_a_worker_that_fails_fails_the_sweep(tmp_path: Path) -> None:
    words = ["model=shapes_plain", "layer=[last],[nowhere]", "dataset.limit=2", "batch_size=2", "method=[random]"]
    given = [*words, "timing.phase=false", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = subprocess.run([sys.executable, "-m", "heatmark", "sweep", "-m", *given], cwd=tmp_path, capture_output=True)
    assert done.returncode == 1


@pytest.mark.parametrize(("verdict", "code"), [("error", 1), ("agrees", 0)])
def test_a_check_fails_where_any_process_found_something_red(
    verdict: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heatmark.benchmarks.commands import check
    from heatmark.benchmarks.conformance.findings import Finding

    def elsewhere(command: str, job: object) -> None:
        for found in ("agrees", verdict, "agrees"):  # three jobs; the last one does not take back what another found
            check.note_reds([Finding("net", "last", "grad_cam", "pgc", "raw", found)], tmp_path / "results/runs/t/red")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["heatmark check", "name=t"])
    monkeypatch.setattr(check, "run_command", elsewhere)
    assert check.main() == code
    monkeypatch.setattr(check, "run_command", lambda command, job: None)
    assert check.main() == 0  # what an earlier call found is not held against this one

"""Provenance: the commit is that of Heatmark's own checkout, never of a repository that it happens to lie in."""

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from heatmark.benchmarks.machine import provenance as module
from heatmark.benchmarks.machine.provenance import provenance


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if not shutil.which("git"):
        pytest.skip("needs git")
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        who = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *command], check=True)
    return tmp_path


def head(repository: Path) -> str:
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit_from(file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(module, "__file__", str(file))
    return str(provenance(torch.device("cpu"))["commit"])


def test_a_checkouts_commit_is_recorded(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "benchmarks" / "machine").mkdir(parents=True)
    (repository / "heatmark").mkdir()
    (repository / "heatmark" / "benchmarks").symlink_to("../benchmarks")
    for folder in (repository, repository / "heatmark"):  # imported through the link, or not
        file = folder / "benchmarks" / "machine" / "provenance.py"
        assert commit_from(file, monkeypatch) == head(repository)


def test_an_installed_package_has_no_commit_though_its_environment_lies_in_a_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = repository / ".venv" / "lib" / "site-packages" / "heatmark" / "benchmarks" / "machine"
    machine.mkdir(parents=True)
    assert commit_from(machine / "provenance.py", monkeypatch) == ""

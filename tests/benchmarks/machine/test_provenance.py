"""Provenance: where what was given lies, and the commit, which is that of Heatmark's own checkout alone."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from heatmark.benchmarks.machine import provenance as module
from heatmark.benchmarks.machine.provenance import located, provenance, source_of


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


def test_a_file_has_a_digest_and_a_folder_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pth").write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert located("w.pth") == {"given": "w.pth", "path": str(tmp_path / "w.pth"), "sha256": sha256}
    assert located(".") == {"given": ".", "path": str(tmp_path), "sha256": ""}
    assert located("nowhere")["sha256"] == ""
    assert located("") == {}
    assert provenance(torch.device("cpu"))["directory"] == str(tmp_path)


def test_the_source_of_a_class_is_its_modules_file() -> None:
    found = source_of(f"{__name__}.Net")
    assert (found["given"], found["path"]) == (f"{__name__}.Net", str(Path(__file__).resolve()))
    assert found["sha256"] == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert source_of("nowhere.Net") == {"given": "nowhere.Net", "path": "", "sha256": ""}

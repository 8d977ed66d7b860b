"""The command line as a person uses it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heatmark.benchmarks.cli import dispatch


@pytest.fixture
def heatmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in an empty folder; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["heatmark"])
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = dispatch(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run

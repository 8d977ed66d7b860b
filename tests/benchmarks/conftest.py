"""The command line as a person uses it."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heatmark.benchmarks.cli import dispatch


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """Give every logger back as it was: Hydra switches those off that it does not know, for the whole process."""
    before = {name: (each.disabled, each.propagate, each.level) for name, each in _loggers().items()}
    root, switched_off = logging.root, logging.root.manager.disable
    level, handlers = root.level, root.handlers[:]
    yield
    for name, each in _loggers().items():
        each.disabled, each.propagate, each.level = before.get(name, (False, True, logging.NOTSET))
    root.setLevel(level)  # and empty the caches of what is enabled
    root.handlers[:] = handlers
    logging.disable(switched_off)


def _loggers() -> dict[str, logging.Logger]:
    known = logging.root.manager.loggerDict.items()
    return {name: each for name, each in known if isinstance(each, logging.Logger)}


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

"""The judges of a planted fault: the tests, and ``heatmark check``, each run in a child process of its own."""

import shutil
from pathlib import Path
from typing import Any


class FirstRed:
    """A pytest plugin that keeps the name of the first test (or file) that fails."""

    name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.name = self.name or report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.name = self.name or report.nodeid


def red_test(files: list[str]) -> str:
    """Return the first test of these files that fails, ``""`` where none does."""
    import pytest

    first = FirstRed()
    options = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")
    code = pytest.main([*options, *files], plugins=[first])
    known = {pytest.ExitCode.OK: "", pytest.ExitCode.NO_TESTS_COLLECTED: ""}
    return first.name or known.get(code, f"pytest ends with {code}")


def red_answer() -> str:
    """Return the first known answer that is wrong, which every ``heatmark check`` asks for, ``""`` where none is."""
    from heatmark.benchmarks.conformance.answers.consult import consult_answers
    from heatmark.benchmarks.conformance.report import is_red

    red = (finding for finding in consult_answers() if is_red(finding))
    return next((f"{finding.method} {finding.check}" for finding in red), "")


def red_finding(options: list[str], folder: Path) -> str:
    """Return the first red finding of ``heatmark check`` with these options, ``""`` where all is green."""
    import pandas as pd

    from heatmark.benchmarks.cli import dispatch

    shutil.rmtree(folder, ignore_errors=True)  # what the last fault left
    code = dispatch(["check", *options, f"results_dir={folder}"])
    table = folder / "check" / "conformance.parquet"
    if code and table.exists():
        for _, row in pd.read_parquet(table).query("red").iterrows():
            return " ".join(filter(None, (row["model"], row["layer"], row["method"], row["check"], row["stage"])))
    return f"it ends with {code}" if code else ""

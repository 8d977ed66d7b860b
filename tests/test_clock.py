"""Tests of the tests: none depends on the clock, so that they pass on a busy machine."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.test_architecture import roots

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda path: path.relative_to(HERE).as_posix())
def test_no_test_reads_the_clock_or_sleeps(path: Path) -> None:
    assert not roots(path) & {"time", "datetime", "timeit"}


def test_no_example_of_hypothesis_may_be_too_slow() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check

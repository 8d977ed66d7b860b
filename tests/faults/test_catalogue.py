"""Tests that the catalogue of planted faults fits the code; ``make faults`` plants them."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.faults import CATALOGUE, Fault, catalogue, planted
from tests.faults.forks import ROOT
from tests.faults.nearest import nearest_first

FAULTS = catalogue()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_every_fault_fits_its_file_and_leaves_it_python(fault: Fault) -> None:
    whole = (ROOT / fault.file).read_text(encoding="utf-8")
    faulty = fault.applied(whole)
    assert faulty != whole
    compile(faulty, fault.file, "exec")


def test_ids_are_unique_and_there_are_enough() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) >= 200
    assert sum(fault.file.startswith(("methods/", "common/")) for fault in FAULTS) >= 80
    assert len(list(CATALOGUE.glob("*.toml"))) > 0


def test_text_that_is_gone_or_not_unique_is_told() -> None:
    fault = Fault("f", "a.py", "x = 1", "x = 2", "")
    assert fault.applied("y = 0\nx = 1\n") == "y = 0\nx = 2\n"
    for text, count in (("x = 3", 0), ("x = 1; x = 1", 2)):
        with pytest.raises(ValueError, match=f"stands {count} times in a.py, expected once"):
            fault.applied(text)


def test_a_planted_fault_is_taken_out_again_whatever_happens(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    with suppress(KeyError), planted(Fault("f", "a.py", "1", "2", ""), tmp_path):
        assert file.read_text() == "x = 2\n"
        raise KeyError
    assert file.read_text() == "x = 1\n"


def test_the_nearest_tests_come_first_and_none_is_left_out() -> None:
    near, far = nearest_first(ROOT, "methods/score_cam.py")
    assert near[0] == "tests/methods/test_score_cam.py"
    assert near[-1] == "tests/test_method_contract.py"
    assert far[0].startswith("tests/methods/")
    assert "tests/benchmarks/sweep/test_run.py" in far
    assert not set(near) & set(far)

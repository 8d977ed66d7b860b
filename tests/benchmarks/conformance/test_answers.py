"""Known answers: all are right, and a wrong number or an exception is a red finding."""

import math

import pytest

from heatmark.benchmarks.conformance.answers import consult
from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.report import is_red


@pytest.mark.parametrize(
    ("got", "expected", "tolerance", "red"),
    [
        (1.0, 1.0, 0.0, False),
        (1.0, 1.1, 0.05, True),
        (100.0, 100.5, 0.01, False),
        (math.nan, math.nan, 0.0, False),
        (math.nan, 1.0, 0.5, True),
        (1.0, math.nan, 0.5, True),
    ],
)
def test_an_answer_is_red_where_it_is_wrong(got: float, expected: float, tolerance: float, red: bool) -> None:
    assert is_red(answer("deletion", "toy", got, expected, tolerance)) is red


def test_what_has_no_number_says_what_is_wrong() -> None:
    assert not is_red(holds("models", "single_logit", ""))
    finding = holds("models", "single_logit", "it was not refused")
    assert is_red(finding)
    assert finding.note == "it was not refused"


def test_all_known_answers_are_right() -> None:
    assert [f.note for f in consult.consult_answers() if is_red(f)] == []


def test_an_answer_that_breaks_is_red_and_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken():
        raise ValueError("no such thing")
        yield

    def right():
        yield answer("a", "b", 1.0, 1.0)

    monkeypatch.setattr(consult, "ANSWERS", (broken, right))
    assert [is_red(f) for f in consult.consult_answers()] == [True, False]

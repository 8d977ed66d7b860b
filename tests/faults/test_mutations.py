"""Tests of the mutation rules on small pieces of code, by hand."""

import pytest

from tests.faults.mutants import sample, score
from tests.faults.mutations import mutants


def changes(text: str) -> list[str]:
    return [mutant.change for mutant in mutants("a.py", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = a < b", ["a < b → a <= b"]),
        ("y = 1 <= a < b", ["1 → 2", "1 <= a < b → 1 < a < b", "1 <= a < b → 1 <= a <= b"]),
        ("y = a + b * c", ["a + b * c → (a - (b * c))", "b * c → (b / c)"]),
        ("y = not a and b", ["not a → a", "not a and b → ((not a) or b)"]),
        ("y = x.clone().relu()", ["x.clone() → x", "x.clone().relu() → x.clone()"]),
        ("y = np.abs(x)", ["np.abs(x) → x"]),
        (
            "y = x.mean(dim=z, keepdim=True)",
            ["x.mean(dim=z, keepdim=True) → x.sum(dim=z, keepdim=True)", "True → False"],
        ),
        ("y = 0.5", ["0.5 → 1.0"]),
        ("y = a if b else c", ["a if b else c → (c if b else a)", "b → not b"]),
        ("handle.remove()", ["handle.remove() → pass"]),
    ],
)
def test_changes_by_hand(text: str, expected: list[str]) -> None:
    assert sorted(changes(text)) == sorted(expected)


def test_what_computes_nothing_is_left_alone() -> None:
    text = '"""A docstring."""\n@dataclass(frozen=True)\nclass A:\n    x: int | None\n\n    def f(self) -> "A | B":\n'
    text += '        """Another."""\n        raise ValueError(f"{1 + 1}")\n'
    assert changes(text) == []


def test_a_mutant_is_the_file_with_one_change_and_knows_its_function() -> None:
    text = "σ = 'é'\n\n\nclass A:\n    def f(self, x):\n        return 'ü', x + 1\n"
    plus = next(mutant for mutant in mutants("a.py", text) if mutant.new == "(x - 1)")
    assert plus.applied(text) == text.replace("x + 1", "(x - 1)")
    assert (plus.where, plus.line) == ("A.f", 6)


def test_the_sample_is_the_same_each_time() -> None:
    first = sample("metrics/engine/perturbation.py", 5, 0)
    assert first == sample("metrics/engine/perturbation.py", 5, 0)
    assert first != sample("metrics/engine/perturbation.py", 5, 1)
    assert len(first) == 5


def test_the_score_leaves_out_what_is_equivalent() -> None:
    rows = [{"killed_by": killer, "equivalent": why} for killer, why in (("t", ""), ("t", ""), ("", ""), ("", "same"))]
    assert score(rows, 10) == "4 of 10 mutants: 2 killed, 1 equivalent; score 66.7%"

"""One known answer: what was computed beside what is right."""

import math

from heatmark.benchmarks.conformance.findings import Finding

MODEL = "known answers"
"""What the report calls the group of these checks."""


def answer(subject: str, check: str, got: float, expected: float, tolerance: float = 1e-9) -> Finding:
    """Return whether a number is the right one; a wrong one is the suite's fault.

    Args:
        subject: the metric, table or module that is checked.
        check: what it was given, in one or two words joined by underscores.
        got: what it computed.
        expected: what is right; NaN where the answer is undefined.
        tolerance: of ``|got − expected| / max(1, |expected|)``.
    """
    gap = 0.0 if math.isnan(got) and math.isnan(expected) else abs(got - expected)
    relative = gap / max(1.0, abs(expected)) if not math.isnan(expected) else gap
    right = relative <= tolerance
    return Finding(
        model=MODEL,
        layer="",
        method=subject,
        check=check,
        stage="",
        verdict="agrees" if right else "diverges",
        max_abs=gap,
        relative=relative,
        tolerance=tolerance,
        cause="" if right else "implementation",
        fault=not right,
        note="" if right else f"got {got:.6g}, right is {expected:.6g}",
    )


def holds(subject: str, check: str, fault: str) -> Finding:
    """Return whether something holds that has no number: ``fault`` says what is wrong, ``""`` where nothing is."""
    verdict = answer(subject, check, float(bool(fault)), 0.0)
    return verdict if not fault else Finding(**{**vars(verdict), "note": fault})

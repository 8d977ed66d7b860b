"""Findings about known answers: a computed result compared with the right one."""

import math

from heatmark.benchmarks.conformance.findings import Finding

MODEL = "known answers"
"""Name of these checks as a group in the report."""


def answer(subject: str, check: str, got: float, expected: float, tolerance: float = 1e-9) -> Finding:
    """Return whether a number is the right one, as a finding; a wrong number is a fault of Heatmark.

    Args:
        subject: the metric, table or module that is checked.
        check: name of the check, in one or two words joined by underscores.
        got: the number computed.
        expected: the right number; NaN where it is undefined.
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
    """Return a check without a number as a finding: ``fault`` says what is wrong, ``""`` that nothing is."""
    verdict = answer(subject, check, float(bool(fault)), 0.0)
    return verdict if not fault else Finding(**{**vars(verdict), "note": fault})

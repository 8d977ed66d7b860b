"""The verdict on a row: equal, deviates and by how much, or cannot and what is missing."""

import struct
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.verify.recompute import Place, Recomputed, Row

EQUAL, DEVIATES, CANNOT = "equal", "deviates", "cannot"


class Verdict(NamedTuple):
    """The verdict on a row.

    Args:
        here: the value computed here; NaN where there is none.
        difference: |here − recorded|; 0 for the same bits, infinite where one of them is undefined, NaN for no verdict.
        verdict: one of the three words.
        note: what is missing, or what differs beside the value.
    """

    here: float
    difference: float
    verdict: str
    note: str


def cannot(reason: str) -> Verdict:
    """Return the verdict on a row that could not be recomputed."""
    return Verdict(np.nan, np.nan, CANNOT, reason)


def verdict(recorded: Row, entry: Entry, here: Recomputed, needs: Iterable[str], tolerance: float) -> Verdict:
    """Return the verdict on a row whose picture, method and metric are at hand.

    Args:
        recorded: the row of the run's results table.
        entry: its picture, as the run has it.
        here: what was computed here.
        needs: names of the further inputs that the metric needs.
        tolerance: largest difference that counts as none.
    """
    found = here.entries.get(entry.digest, ())
    if here.reason or not found:
        return cannot(here.reason or "it was not computed here")
    own = max(found, key=lambda each: _in_common(each, entry, needs))
    place: Place = (recorded["layer"], recorded["method"], recorded["metric"], own.image, recorded["replicate"])
    row = here.rows.get(place)
    if own.reason:
        return cannot(own.reason)
    for name in needs:
        if own.inputs.get(name, "") != entry.inputs.get(name, ""):
            return cannot(f"the {name} of {entry.image} here are not those of the run")
    if row is None:
        return cannot(here.cells.get(place[:2]) or "it was not computed here")
    if row["status"] == "error" and recorded["status"] != "error":
        return cannot(row["reason"])
    return _compared(recorded, row, _other_class(entry, own), tolerance)


def _in_common(own: Entry, entry: Entry, needs: Iterable[str]) -> int:
    """Return in how much two entries of equal pictures agree: the class explained, and the inputs of a metric."""
    inputs = sum(own.inputs.get(name, "") == entry.inputs.get(name, "") for name in needs)
    return inputs + (own.target == entry.target)


def _compared(recorded: Row, row: Row, other: str, tolerance: float) -> Verdict:
    there, value = float(recorded["value"]), float(row["value"])
    apart = difference(there, value)
    if (recorded["status"] == "error") != (row["status"] == "error"):
        return Verdict(value, np.inf, DEVIATES, f"the run has an error: {recorded['reason']}")
    word = EQUAL if apart <= tolerance and not other else DEVIATES
    return Verdict(value, apart, word, other)


def _other_class(entry: Entry, own: Entry) -> str:
    if entry.target == own.target:
        return ""
    return f"class {own.target} is explained here, {entry.target} in the run"


def difference(a: float, b: float) -> float:
    """Return |a − b|: 0 for the same bits or two NaN alone, infinite where one is NaN."""
    if struct.pack("d", a) == struct.pack("d", b) or (np.isnan(a) and np.isnan(b)):
        return 0.0
    if np.isnan(a) or np.isnan(b):
        return float(np.inf)
    return float(max(abs(a - b), np.finfo(np.float64).tiny))  # −0 and 0 differ in a bit

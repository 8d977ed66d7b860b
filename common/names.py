"""The nearest right name, for the message about a wrong one."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")

CUTOFF = 0.5
"""How alike a name must be to be offered, from 0 to 1 (``difflib``'s ratio)."""


def nearest(name: str, known: Iterable[str], cutoff: float = CUTOFF) -> list[str]:
    """Return up to three known names like this one, the most alike first, whatever their case."""
    by_lower = {each.lower(): each for each in known}
    return [by_lower[lower] for lower in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=cutoff)]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return ``did you mean a, b?`` with the nearest names, or ``otherwise`` where none is like this one."""
    found = nearest(name, known)
    return f"did you mean {', '.join(found)}?" if found else otherwise


def look_up(kind: str, name: object, known: Mapping[str, T]) -> T:
    """Return what a name stands for.

    Args:
        kind: what the message calls it, such as ``baseline``.
        name: the name that was given.
        known: every name with what it stands for.

    Raises:
        ValueError: where there is none of that name; it names the nearest.
    """
    if str(name) in known:
        return known[str(name)]
    hint = did_you_mean(str(name), known, f"expected one of {', '.join(known)}.")
    raise ValueError(f"unknown {kind} {name!r}: {hint}")

"""Options given by name, and suggestions of the nearest names for error messages."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")

CUTOFF = 0.5
"""The least similarity of a suggested name, from 0 to 1 (``difflib``'s ratio)."""


def nearest(name: str, known: Iterable[str], cutoff: float = CUTOFF) -> list[str]:
    """Return up to three known names similar to this one, the most similar first; capitals do not count."""
    by_lower = {each.lower(): each for each in known}
    return [by_lower[lower] for lower in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=cutoff)]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return ``did you mean a, b?`` with the nearest names, or ``otherwise`` if none is similar."""
    found = nearest(name, known)
    return f"did you mean {', '.join(found)}?" if found else otherwise


def look_up(kind: str, name: object, known: Mapping[str, T]) -> T:
    """Return the value with a given name.

    Args:
        kind: the kind of option, for the message, such as ``baseline``.
        name: the given name.
        known: the values by name.

    Raises:
        ValueError: if the name is unknown; the message gives the nearest names, or all.
    """
    if str(name) in known:
        return known[str(name)]
    hint = did_you_mean(str(name), known, f"expected one of {', '.join(known)}.")
    raise ValueError(f"unknown {kind} {name!r}: {hint}")

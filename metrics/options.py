"""The lookup of options that are given by name."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def look_up(kind: str, name: object, known: Mapping[str, T]) -> T:
    """Return the value with a given name.

    Args:
        kind: the kind of option, for the message, such as ``baseline``.
        name: the given name.
        known: the values by name.

    Raises:
        ValueError: if the name is unknown; the message gives the nearest name, or all.
    """
    if str(name) in known:
        return known[str(name)]
    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {', '.join(known)}."
    raise ValueError(f"unknown {kind} {name!r}: {hint}")

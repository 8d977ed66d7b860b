"""Options that are names."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


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
    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {', '.join(known)}."
    raise ValueError(f"unknown {kind} {name!r}: {hint}")

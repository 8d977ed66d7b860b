"""The nearest right name, for the message about a wrong one."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return ``did you mean a, b?`` with up to three names like this one, or ``otherwise`` where none is like it."""
    nearest = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {', '.join(nearest)}?" if nearest else otherwise

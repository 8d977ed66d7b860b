"""Numbers and names as the terminal's tables write them: a mean with its interval, names in lines that fit."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

UNKNOWN = "–"


def decimals(numbers: Iterable[float]) -> int:
    """Return the number of decimals for numbers in one column: 3 below 10, one less for each further digit.

    −1 stands for two decimals with an exponent: where all numbers are below 0.01, or one has seven digits.
    """
    sizes = np.abs(np.asarray([*numbers], dtype=np.float64))
    largest = float(np.max(sizes[np.isfinite(sizes)], initial=0.0))
    if largest >= 1e6 or 0 < largest < 1e-2:
        return -1
    return int(np.clip(3 - np.floor(np.log10(max(largest, 1.0))), 0, 3))


def interval(mean: float, low: float, high: float, places: int, sign: bool = False) -> str:
    """Return ``0.059 [.048, .072]``, without brackets where there is no interval, ``–`` for an undefined mean.

    A number with its sign has no zero before its point: ``+.120 [.076, .177]``.

    Args:
        mean, low, high: numbers, NaN where undefined.
        places: as :func:`decimals` returns it.
        sign: whether a positive mean is to have its sign.
    """
    if np.isnan(mean):
        return UNKNOWN
    form = ".2e" if places < 0 else f".{places}f"
    said = _short(f"{mean:+{form}}") if sign else f"{mean:{form}}"
    if np.isnan(low) or np.isnan(high):
        return said
    return f"{said} [{_short(f'{low:{form}}')}, {_short(f'{high:{form}}')}]"


def _short(number: str) -> str:
    """Return a number without the zero before its point."""
    return re.sub(r"^([+-]?)0\.", r"\1.", number)


def bare(heading: str) -> str:
    """Return a metric's heading without its arrow.

    >>> bare("insertion(steps=14) ↑"), bare("entropy")
    ('insertion(steps=14)', 'entropy')
    """
    return heading.removesuffix(" ↑").removesuffix(" ↓")


def cost_text(cost: float) -> str:
    """Return a cost with three digits; ``""`` where unknown."""
    return "" if np.isnan(cost) else f"{cost:.{int(np.clip(2 - np.floor(np.log10(max(cost, 1.0))), 0, 2))}f}"


def wrapped(name: str, width: int) -> str:
    """Return a name in lines of at most this width, broken after ``_``, ``.`` and the like if it can be."""
    lines = [""]
    for piece in re.findall(r"[^_./,:(\[ ]*[_./,:(\[ ]|[^_./,:(\[ ]+", name):
        if len(lines[-1].rstrip() + piece.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return "\n".join(line.rstrip() for line in lines)


def shortened(names: Sequence[str], width: int) -> dict[str, str]:
    """Return names of layers shortened at their beginning, ``…layer_11.ln_1``, where they stay distinct, else wrapped.

    Names of layers differ at their ends.
    """
    short = {name: name if len(name) <= width else f"…{name[1 - width :]}" for name in names}
    distinct = len(set(short.values())) == len(set(names))
    return {name: short[name] if distinct else wrapped(name, width) for name in names}

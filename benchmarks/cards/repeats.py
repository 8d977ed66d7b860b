"""Repeats: whether the same call gives the same numbers, and how much another seed moves them."""

from collections.abc import Mapping

import numpy as np

from heatmark.benchmarks.cards.scale import relative
from heatmark.benchmarks.cards.variants import FAILS, PASSES, Judged, Variant, Verdict, not_applicable
from heatmark.benchmarks.statistics.defined import Floats

MOST = 0.1
"""The largest move of a method's mean score by another seed, relative to the metric's spread; the limit is ours."""


def repeats(judged: Judged) -> Verdict:
    """Return whether a second call is equal to the bit, and another seed moves no mean by over 10 % of the spread.

    The figure is the largest move of a mean score by another seed, relative to the range of the mean scores.
    """
    if not any(judged.has(variant) for variant in judged.again):
        return not_applicable("repeats", f"no value: {judged.reason or 'undefined'}")
    n = max(len(values) for values in judged.again.values())
    if differing := sum(not _equal(judged.values[v], values) for v, values in judged.again.items()):
        said = f"the same call differs, for {differing} of {len(judged.again)} kinds of maps"
        return Verdict("repeats", FAILS, said, n=n, because=said)
    move = relative(moved(judged.values, judged.reseeded), judged.spread)
    said, because = "equal to the bit; no seed moves it", ""
    if move > 0:
        size = f"{move:.1%} of the spread" if np.isfinite(move) else "moves it, and it has no spread"
        said = f"equal to the bit; another seed: {size}"
    if move > MOST:
        because = f"another seed moves a mean by {move:.0%} of the range of its means (limit {MOST:.0%})"
    return Verdict("repeats", FAILS if because else PASSES, said, move, "change / spread", n=n, because=because)


def _equal(first: Floats, second: Floats) -> bool:
    return bool(np.array_equal(first, second, equal_nan=True))


def moved(values: Mapping[Variant, Floats], reseeded: Mapping[Variant, Floats]) -> float:
    """Return the largest |change| of a variant's mean score; 0 where none is defined twice."""
    changes = [reseeded[v] - values[v] for v in reseeded]
    return max((abs(float(np.nanmean(c))) for c in changes if not np.isnan(c).all()), default=0.0)

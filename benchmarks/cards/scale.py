"""Scale: whether scores stay as they are when a map is multiplied with 100, or a constant is added to it."""

import numpy as np

from heatmark.benchmarks.cards.variants import FACTOR, FAILS, PASSES, Judged, Variant, Verdict, not_applicable

TOLERANCE = 0.01
"""The largest mean change, relative to the metric's spread, that counts as rounding: near-ties change places. The limit
is ours."""
WORDS = {"scaled": f"× {FACTOR}", "shifted": "+ c"}


def scale(judged: Judged) -> Verdict:
    """Return whether map × 100 and map + c leave the scores as they are, where the metric's definition says so.

    The figure is the largest mean |change| relative to the range of the mean scores of real and random maps. What the
    definition lets move is said and not judged; per cent are of this range.
    """
    moved = {kind: movement(judged, kind) for kind in WORDS}
    known = {kind: size for kind, size in moved.items() if not np.isnan(size)}
    if not known:
        return not_applicable("scale", f"no value: {judged.reason or 'undefined'}")
    held = {kind: size for kind, size in known.items() if kind in judged.invariant}
    words = "; ".join(f"{WORDS[kind]} {_said(size, kind in held)}" for kind, size in known.items())
    if not held:
        return not_applicable("scale", words)
    worst = max(held.values())
    n = sum(int((~np.isnan(judged.values[Variant("real", m)])).sum()) for m in judged.methods)
    if worst <= TOLERANCE:
        return Verdict("scale", PASSES, words, worst, "change / spread", n=n)
    kind = max(held, key=lambda kind: held[kind])
    because = f"map {WORDS[kind]} moves it by {worst:.0%} of the range of its means (limit {TOLERANCE:.0%})"
    return Verdict("scale", FAILS, words, worst, "change / spread", n=n, because=because)


def _said(size: float, must_stay: bool) -> str:
    if size == 0:
        return "stays"
    if size <= TOLERANCE:
        return f"stays ({size:.0e})"
    amount = f"moves it by {size:.0%}" if np.isfinite(size) else "moves it, and it has no spread"
    return amount if must_stay else f"{amount}, as it may"


def movement(judged: Judged, kind: str) -> float:
    """Return the mean |change| of scores over images and methods, relative to the metric's spread; NaN if unknown."""
    pairs = [(Variant("real", method), Variant(kind, method)) for method in judged.methods]
    changes = [judged.values[b] - judged.values[a] for a, b in pairs if judged.has(b)]
    found = np.concatenate(changes) if changes else np.empty(0)
    found = np.abs(found[~np.isnan(found)])
    return relative(float(found.mean()), judged.spread) if len(found) else float("nan")


def relative(change: float, spread: float) -> float:
    """Return a change relative to the spread; 0 for none, infinite where there is no spread.

    >>> relative(0.0, 0.0), relative(0.1, 0.4), relative(0.1, 0.0)
    (0.0, 0.25, inf)
    """
    if change == 0:
        return 0.0
    return change / spread if spread > 0 else float("inf")

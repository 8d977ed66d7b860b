"""The spread over draws in words, for the terminal and for the captions of paper tables."""

from collections.abc import Iterator, Mapping

import pandas as pd

from heatmark.benchmarks.statistics.gains import CONTROL
from heatmark.benchmarks.statistics.variants import plain


def draws_text(leaderboards: Mapping[str, pd.DataFrame]) -> str:
    """Return how far the means of draws lie apart: of the random control, and at most of all other methods.

    Args:
        leaderboards: by the name of the metric that is to be shown (:func:`..statistics.leaderboard.standings`).

    Returns:
        A text such as ``±: …: random (5 draws): deletion ±0.057; others up to (3 draws): deletion ±8e-06``; ``""``
        where everything has one draw.
    """
    said: dict[str, list[str]] = {}
    for name, rows in leaderboards.items():
        for who, spread in _of_metric(rows):
            said.setdefault(who, []).append(f"{name} ±{spread:.2g}")
    if not said:
        return ""
    groups = "; ".join(f"{who}: {', '.join(spreads)}" for who, spreads in said.items())
    return f"±: standard deviation of the draws' means, where an image's score is a mean of draws: {groups}"


def _of_metric(leaderboard: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield whose draws they are and how many, and the largest spread."""
    drawn = leaderboard[leaderboard["draws_sd"].notna()]
    control = drawn["method"].map(plain) == CONTROL
    for name, rows in ((CONTROL, drawn[control]), ("others up to", drawn[~control])):
        if len(rows):
            most = rows.nlargest(1, "draws_sd").iloc[0]
            yield f"{name} ({most['draws']} draws)", float(most["draws_sd"])

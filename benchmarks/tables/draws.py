"""The spread over draws in words, for the terminal and for the captions of paper tables."""

from collections.abc import Mapping

import pandas as pd

from heatmark.benchmarks.statistics.gains import CONTROL
from heatmark.benchmarks.statistics.variants import plain


def draws_text(leaderboards: Mapping[str, pd.DataFrame]) -> str:
    """Return how far the means of draws lie apart: of the random control, and at most of all other methods.

    Args:
        leaderboards: by the name of the metric that is to be shown (:func:`..statistics.leaderboard.standings`).

    Returns:
        A text such as ``±: …: deletion: random ±0.057 (5 draws), others up to ±8e-06 (3 draws)``; ``""`` where
        everything has one draw.
    """
    said = [f"{name}: {words}" for name, rows in leaderboards.items() if (words := _of_metric(rows))]
    if not said:
        return ""
    return f"±: standard deviation of the draws' means, where an image's score is a mean of draws: {'; '.join(said)}"


def _of_metric(leaderboard: pd.DataFrame) -> str:
    drawn = leaderboard[leaderboard["draws_sd"].notna()]
    control = drawn["method"].map(plain) == CONTROL
    groups = ((CONTROL, drawn[control]), ("others up to", drawn[~control]))
    return ", ".join(f"{name} {_most(rows)}" for name, rows in groups if len(rows))


def _most(rows: pd.DataFrame) -> str:
    most = rows.nlargest(1, "draws_sd").iloc[0]
    return f"±{most['draws_sd']:.2g} ({most['draws']} draws)"

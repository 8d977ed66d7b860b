"""All statistics of a run, as tables that are written beside its results."""

import pandas as pd

from heatmark.benchmarks.statistics.concordance import concordance
from heatmark.benchmarks.statistics.friedman import friedman
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.pairwise import pairwise
from heatmark.benchmarks.statistics.power import images_needed
from heatmark.benchmarks.statistics.variants import told_apart


def statistics(results: pd.DataFrame, compare: str = "") -> dict[str, pd.DataFrame]:
    """Return the leaderboard, Friedman's tests, every pair with its sample size, and Kendall's W, by name.

    A method with several sets of options appears in them under several names.

    Args:
        results: the results table, with the column ``map_of`` where repeats were looked for.
        compare: name of a method; only pairs with it are tested. ``""`` tests all pairs.
    """
    results = told_apart(results)
    return {
        "leaderboard": leaderboard(results),
        "friedman": friedman(results),
        "pairwise": images_needed(pairwise(results, compare)),
        "concordance": concordance(results),
    }

"""Metrics that fail their cards on a run's own model and pictures, as ``heatmark cards run=NAME`` found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from heatmark.benchmarks.schema import DIGESTS

MARK = "‡"
"""What stands behind the name of a metric that fails its card."""
MATCHED = ["definition", "target_rule", *DIGESTS]
"""Columns by which a card belongs to a leaderboard: a card of another definition, class explained, model or
data says nothing of it."""
COMPANY = "agreement"
"""The test whose verdict depends on which other metrics were judged: it makes no metric unsound."""

Unsound = Mapping[tuple[str, ...], str]
"""Why a metric fails its card, by the values of :data:`MATCHED`."""
NONE: Unsound = {}


def unsound(run: Path) -> dict[tuple[str, ...], str]:
    """Return why metrics fail their cards, from the cards in a run's folder; nothing where it has none.

    Args:
        run: the folder.
    """
    path = run / "cards.parquet"
    if not path.exists():
        return {}
    cards = pd.read_parquet(path)
    failed = cards[(cards["verdict"] == "fails") & (cards["test"] != COMPANY)]
    return {tuple(map(str, key)): "; ".join(rows["because"]) for key, rows in failed.groupby(MATCHED, sort=False)}


def why_unsound(facts: Mapping[Any, Any], known: Unsound) -> str:
    """Return why the metric of a comparison fails its card, ``""`` where it does not, or has none.

    Args:
        facts: the comparison's columns, :data:`MATCHED` among them.
        known: as :func:`unsound` returns it.
    """
    return known.get(tuple(str(facts[name]) for name in MATCHED), "")

"""Derived metrics: weighted sums of other metrics' values of the same picture and cell, made from the table alone."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from heatmark.benchmarks.tables.asked import Asked


def derived_rows(a: Asked, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a setting's derived metrics, computed from the rows of those that they are derived from.

    value = Σ factor · value of the other metric; NaN with its reason where one of these is NaN, no row where one of
    them has none.
    """
    wanted = a.scores[(a.scores["key"] == "") & (a.scores["skipped"] == "")]
    parts = [
        _derived(rows[rows["cell"].isin(part["cell"])], part.iloc[0])
        for _, part in wanted.groupby(["metric", "definition"])
    ]
    return pd.concat(parts, ignore_index=True) if parts else rows.iloc[:0]


def _derived(rows: pd.DataFrame, metric: "pd.Series[object]") -> pd.DataFrame:
    terms: Mapping[str, float] = metric["terms"]  # type: ignore[assignment]
    place = ["cell", "image"]
    each = {name: rows[rows["metric"] == name].drop_duplicates(place).set_index(place) for name in terms}
    shared = None
    for part in each.values():
        shared = part.index if shared is None else shared[shared.isin(part.index)]
    if shared is None or not len(shared):
        return rows.iloc[:0]
    aligned = {name: part.loc[shared] for name, part in each.items()}
    first = next(iter(aligned.values())).reset_index()
    value = sum(factor * aligned[name]["value"].to_numpy() for name, factor in terms.items())
    statuses = np.stack([part["status"].to_numpy() for part in aligned.values()])
    reasons = np.stack([part["reason"].to_numpy() for part in aligned.values()])
    failed = statuses == "error"
    return first.assign(
        metric=metric["metric"],
        definition=_definition(str(metric["definition"]), terms, aligned),
        higher_is_better=metric["higher_is_better"],
        value=value,
        tie_low=np.nan,
        tie_high=np.nan,
        status=np.where(failed.any(0), "error", first["status"]),
        reason=[next((r for r in column if r), "") for column in reasons.T],
    )


def _definition(own: str, terms: Mapping[str, float], parts: Mapping[str, pd.DataFrame]) -> str:
    """Return the definition of a derived metric, which holds those of its terms: other terms are another metric."""
    said = (f"{factor:+g} {parts[name]['definition'].iloc[0]}" for name, factor in sorted(terms.items()))
    return f"{own}({' '.join(said)})"

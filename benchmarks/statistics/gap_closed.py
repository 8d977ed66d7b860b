"""Gaps closed: how far a method comes from random maps towards the best map at hand, searched ones among them."""

import numpy as np
import pandas as pd

from heatmark.benchmarks.statistics.comparisons import FACTS, Comparison, comparisons
from heatmark.benchmarks.statistics.defined import Floats, means
from heatmark.benchmarks.statistics.gains import CEILINGS, CONTROL
from heatmark.benchmarks.statistics.groups import Groups
from heatmark.benchmarks.statistics.intervals import bca_of_groups, bca_of_ratios
from heatmark.benchmarks.statistics.variants import plain

COLUMNS = [*FACTS, "layer", "method", "label", "cell", "gap_closed", "low", "high", "ceiling", "n"]


def gap_closed(results: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return the share of the gap between random maps and the ceiling that each cell closes, per ranked definition.

    gap closed = Σ (score − random) / Σ (ceiling − random), over the images where all cells of the comparison are
    defined; 0 for random maps, 1 for the ceiling. ``random`` is the mean of the control's cells, the ceiling the cell
    with the best mean: a map searched on the metric (:data:`~heatmark.benchmarks.statistics.gains.CEILINGS`), where
    no method does better. A map that closes the gap of the metric it was searched on, and little of it under another,
    was made for the first: that is how gaming looks. A share below 0 is worse than random.

    Args:
        results: the results table.
        confidence: nominal coverage of the intervals.

    Returns:
        A row per cell and definition, without the control, the best first: ``gap_closed`` with ``low`` and ``high``
        (BCa, over groups of images; NaN for the ceiling itself), ``ceiling``, the label of the cell that is it, ``n``
        images. NaN where the ceiling is not better than random by its own interval. No rows of a comparison without
        the control or without a searched map.
    """
    ranked = [each for each in comparisons(results) if each.higher_is_better is not None]
    tables = [_closed(each, confidence) for each in ranked if _has_both(each)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _has_both(comparison: Comparison) -> bool:
    names = comparison.methods["method"].map(plain)
    return bool((names == CONTROL).any() and names.isin(CEILINGS).any())


def _closed(comparison: Comparison, confidence: float) -> pd.DataFrame:
    values, methods = comparison.array(), comparison.methods
    random = (methods["method"].map(plain) == CONTROL).to_numpy()
    rows = ~np.isnan(values).any(axis=1)
    above = comparison.direction * (values[rows] - means(values[rows][:, random].T)[:, None])
    best = int(above.sum(axis=0).argmax())
    closed = np.full((3, above.shape[1]), np.nan)
    if _separates(above[:, best], comparison.groups[rows], comparison.seed, confidence):
        interval = bca_of_ratios(above, above[:, best], comparison.groups[rows], comparison.seed, confidence)
        interval[:, best] = np.nan  # it is 1, whatever the images
        closed = np.vstack([above.sum(axis=0) / above[:, best].sum(), interval])
    table = methods.reset_index().assign(
        **comparison.facts,
        **dict(zip(("gap_closed", "low", "high"), closed, strict=True)),
        ceiling=methods["label"].iloc[best],
        n=len(above),
    )
    return table[~random][COLUMNS].sort_values("gap_closed", ascending=False, kind="stable")


def _separates(gains: Floats, groups: Groups, seed: int, confidence: float) -> bool:
    """Return whether gains over random are positive by their interval, or, where they have none, in the mean."""
    if not len(gains):
        return False
    low = bca_of_groups(gains[:, None], groups, seed, confidence)[0, 0]
    return bool(low > 0 if np.isfinite(low) else gains.mean() > 0)

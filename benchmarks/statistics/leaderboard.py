"""The leaderboard: every method's mean score, its interval and its rank, with flagged maps and without them."""

import numpy as np
import pandas as pd

from heatmark.benchmarks.statistics.comparisons import MOSTLY, Comparison, comparisons
from heatmark.benchmarks.statistics.defined import means
from heatmark.benchmarks.statistics.gains import gains
from heatmark.benchmarks.statistics.groups import group_counts
from heatmark.benchmarks.statistics.intervals import bca_of_groups
from heatmark.benchmarks.statistics.ranks import common, rank_intervals

COLUMNS = [
    "model", "weights", "dataset", "target_rule", "layer", "method", "implementation", "label", "metric", "definition",
    "higher_is_better", "mean", "ci_low", "ci_high", "n", "n_groups", "unit", "undefined", "flagged", "mostly_flagged",
    "rank", "rank_low", "rank_high", "mean_ranked", "n_ranked", "draws", "draws_sd", "draws_low", "draws_high",
    "gain", "gain_low", "gain_high", "n_gain",
    "mean_unflagged", "n_unflagged", "rank_unflagged", "mean_ranked_unflagged", "n_ranked_unflagged",
    "same_as", "maps_compared", "device", "precision", "cell", "weights_digest", "images_digest",
]  # fmt: skip


def leaderboard(results: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return one row per cell and definition of a metric, best first within its comparison.

    Args:
        results: the results table.
        confidence: nominal coverage of the intervals.

    Returns:
        :data:`COLUMNS`, among them those of the comparison
        (:data:`heatmark.benchmarks.statistics.comparisons.FACTS`) and ``higher_is_better``
        (<NA> for a descriptive metric, under which no method has a rank); ``layer, method, implementation, label,
        cell``; ``mean, ci_low, ci_high`` over its ``n`` defined images of ``n_groups`` groups (BCa; ``unit``, images
        or groups, is what is resampled); ``undefined`` and ``flagged`` (degenerate maps) images, ``mostly_flagged``
        where these are over half.
        ``rank`` among the competing methods, 1 the best, by ``mean_ranked``, the mean on the ``n_ranked`` images
        where all of them are defined, with ``rank_low, rank_high`` (bootstrap).
        Without flagged maps: ``mean_unflagged`` over its ``n_unflagged`` images; ``rank_unflagged`` by
        ``mean_ranked_unflagged`` on the ``n_ranked_unflagged`` images where no competing method is flagged or
        undefined; a method that is mostly flagged has no such rank.
        ``draws`` that an image's score is the mean of; ``draws_sd, draws_low, draws_high``, the standard deviation, the
        least and the greatest of the draws' mean scores (:func:`.replicates.spread`).
        ``gain, gain_low, gain_high`` over the random control on ``n_gain`` images (:func:`.gains.gains`).
        ``same_as``, the label of the method whose maps and ranks this one has, or ``""``; ``maps_compared``, whether
        repeats were looked for.
    """
    tables = [standings(comparison, confidence) for comparison in comparisons(results)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def standings(comparison: Comparison, confidence: float = 0.95) -> pd.DataFrame:
    """Return the leaderboard of one comparison.

    Args:
        comparison: the cells.
        confidence: nominal coverage of the intervals.
    """
    values, methods = comparison.array(), comparison.methods
    low, high = bca_of_groups(values, comparison.groups, comparison.seed, confidence)
    undefined = np.isnan(values).sum(axis=0)
    unflagged = np.where(comparison.flags, np.nan, values)
    table = methods.reset_index().assign(
        **comparison.facts,
        higher_is_better=pd.array([comparison.higher_is_better] * len(methods), dtype="boolean"),
        mean=means(values),
        ci_low=low,
        ci_high=high,
        n=len(values) - undefined,
        n_groups=group_counts(values, comparison.groups),
        unit=comparison.unit,
        undefined=undefined,
        mostly_flagged=comparison.flags.mean().to_numpy() > MOSTLY,
        mean_unflagged=means(unflagged),
        n_unflagged=(~np.isnan(unflagged)).sum(axis=0),
        same_as=methods["same_as"].map(methods["label"]).astype(object).fillna("").to_numpy(),
    )
    ranks = _ranks(comparison, confidence).loc[methods["same_as"].where(methods["same_as"] != "", methods.index)]
    table = table.join(ranks.set_axis(table.index)).join(gains(comparison, confidence), on="cell")
    # a method that repeats another one follows it directly
    return table.assign(repeat=table["same_as"] != "").sort_values(["rank", "repeat", "label"])[COLUMNS]


def _ranks(comparison: Comparison, confidence: float) -> pd.DataFrame:
    """Return the ranks of the competing methods by cell, with flagged maps and (``_unflagged``) without them."""
    tables = []
    for scores, ending in ((comparison.scores, ""), (comparison.sound, "_unflagged")):
        array = scores.to_numpy(dtype=np.float64)
        rank, low, high = rank_intervals(array, comparison.groups, comparison.seed, confidence)
        scored, rows = common(array)
        shared = np.where(rows[:, None] & scored, comparison.values[comparison.competing.index], np.nan)
        found = {"rank": rank, "rank_low": low, "rank_high": high, "mean_ranked": means(shared), "n_ranked": rows.sum()}
        tables.append(pd.DataFrame(found, index=comparison.competing.index).add_suffix(ending))
    return pd.concat(tables, axis="columns")

"""Replicates: the draws of a stochastic method or metric, of which an image has one number, their mean."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heatmark.benchmarks.statistics.defined import Floats

Integers = NDArray[np.int64]

ROW = ["cell", "metric", "definition", "image", "target"]
"""Columns that are equal in all replicates of one score."""
MEANS = ["value", "tied", "tie_low", "tie_high"]
WORST_FIRST = {"error": 0, "degenerate": 1}
SPREAD = ["draws", "draws_sd", "draws_low", "draws_high"]


def averaged(results: pd.DataFrame) -> pd.DataFrame:
    """Return a results table with one row per score, whose number is the mean over its replicates.

    value = Σ_r value_r / R, over the replicates that the table has; NaN where one of them is NaN. A mean of those that
    are defined would be that of other images than a single draw has, and of few draws no better than one: the image is
    counted as undefined, with the reason. Its status is the worst of theirs; all else is that of replicate 0, such as
    ``maps``. A table without replicates is returned as it is.
    """
    if not _has_replicates(results):
        return results
    several = (results["metric"] != "") & results["cell"].isin(results.loc[results["replicate"] > 0, "cell"])
    rows = results[several].sort_values("replicate", kind="stable")
    groups: Integers = np.asarray(rows.groupby(ROW, sort=False).ngroup(), np.int64)
    first = rows.drop_duplicates(ROW).assign(
        replicate=0, **{name: _means(rows[name].to_numpy(np.float64), groups) for name in MEANS if name in rows}
    )
    said = [name for name in ("status", "reason") if name in rows]
    worst = rows.assign(
        group=groups, rank=rows["status"].map(WORST_FIRST).fillna(len(WORST_FIRST)), defined=rows["value"].notna()
    ).sort_values(["group", "rank", "defined"], kind="stable")
    first[said] = worst.drop_duplicates("group")[said].to_numpy()
    return pd.concat([results[~several], first]).sort_index(kind="stable")


def spread(results: pd.DataFrame) -> pd.DataFrame:
    """Return how far the mean scores of draws lie apart, by ``cell``, ``metric`` and ``definition``.

    A draw's mean is over the images on which all draws are defined. What has a single draw is not listed.

    Returns:
        :data:`SPREAD`: the number of draws, and the standard deviation (n − 1), the least and the greatest of their
        means; NaN where no image has all draws.
    """
    keys = ROW[:3]
    if not _has_replicates(results):
        return pd.DataFrame(columns=SPREAD, index=pd.MultiIndex.from_tuples([], names=keys))
    known = results[results["metric"] != ""]
    several = known.groupby(keys)["replicate"].transform("nunique") > 1
    found = {key: _spread(rows) for key, rows in known[several].groupby(keys)}
    return pd.DataFrame(list(found.values()), columns=SPREAD, index=pd.MultiIndex.from_tuples(found, names=keys))


def _has_replicates(results: pd.DataFrame) -> bool:
    return "replicate" in results and bool((results["replicate"] > 0).any())


def _spread(rows: pd.DataFrame) -> list[float]:
    table = rows.pivot(index=["image", "target"], columns="replicate", values="value")
    means = table.dropna().mean().to_numpy(np.float64)
    if np.isnan(means).any():
        return [len(means), np.nan, np.nan, np.nan]
    return [len(means), float(means.std(ddof=1)), float(means.min()), float(means.max())]


def _means(values: Floats, groups: Integers) -> Floats:
    """Return the mean of each group's values, NaN where one is NaN."""
    means: Floats = np.bincount(groups, weights=values) / np.bincount(groups)
    return means

"""The ranking of a run's methods by faithfulness, as the summary on the terminal shows it."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from heatmark.benchmarks.statistics.comparisons import MOSTLY, same_as
from heatmark.benchmarks.statistics.defined import tied
from heatmark.benchmarks.statistics.groups import Groups, group_codes, mean_and_error, singletons
from heatmark.benchmarks.statistics.ranks import common
from heatmark.benchmarks.statistics.variants import plain

CONTROL = "random"
DERIVED = re.compile(r"\([+-]")
"""What the definition of a derived metric has and no other: the terms that it sums up."""
CELL = ["cell", "layer", "method"]
PAIR = ["image", "target"]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


def ranking(scored: pd.DataFrame, timing: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell, the most faithful first; a cell with another one's maps follows it.

    Faithfulness is the sum of the metrics, each negated where lower is better: insertion − deletion. Descriptive
    metrics are no part of it; it is undefined where there are no others.

    Args:
        scored: rows of the results table of one model on one dataset, all scored with the same metrics.
        timing: the timing table.

    Returns:
        ``cell, layer, method, n, flagged, cost_in_forwards``: ``n`` is the number of images on which faithfulness is
        defined, ``flagged`` that of degenerate maps.
        For every definition of a metric, and for ``faithfulness``: its mean (``NAME``) with the half-width of its 95 %
        interval (``NAME ±``); both for the gain over the random control, paired by image and explained class
        (``NAME gain``, ``NAME gain ±``); both over the images whose map is not flagged (``NAME without``,
        ``NAME without ±``).
        ``rank``, by mean faithfulness over the ``n_ranked`` images on which it is defined for all methods.
        ``rank without``, without the cells that are flagged on most images (NaN), over the ``n_ranked without`` images
        on which no map of the others is flagged either.
        ``original``, the cell whose maps and ranks this one has (else itself), and ``again``, whether it is another.
    """
    wide = scored.pivot(index=[*CELL, *PAIR], columns="definition", values="value")
    signs = directions(scored).dropna().map({True: 1.0, False: -1.0}).astype("float64")
    signs = signs[[not DERIVED.search(str(name)) for name in signs.index]]  # those are sums of the others already
    wide["faithfulness"] = (wide[signs.index] * signs).sum(axis=1, skipna=False) if len(signs) else np.nan
    control = wide[wide.index.get_level_values("method").map(plain) == CONTROL].groupby(PAIR).mean()
    flagged = scored.assign(flag=scored["status"] == "degenerate")
    flags = flagged.groupby([*CELL, *PAIR])["flag"].any().reindex(wide.index)
    groups = scored.drop_duplicates("image").set_index("image")["group"]
    rows = [
        dict(zip(CELL, key, strict=True))
        | _row(values.reset_index(CELL, drop=True), control, flags[values.index].to_numpy(), groups)
        for key, values in wide.groupby(CELL)
    ]
    frame = pd.DataFrame(rows).merge(_cost(timing), how="left", on="cell")
    frame["original"] = frame["cell"].map(_originals(scored))
    for scores, ending in ((wide["faithfulness"], ""), (_unflagged(wide["faithfulness"], flags), " without")):
        frame = frame.merge(_ranks(scores, sorted(set(frame["original"])), ending), how="left", on="original")
    again = frame["original"] != frame["cell"]
    return frame.assign(again=again).sort_values(["rank", "original", "again"], kind="stable", ignore_index=True)


def _unflagged(scores: "pd.Series[float]", flags: "pd.Series[bool]") -> "pd.Series[float]":
    """Return scores with NaN where the map is flagged, and for all images of a cell that is flagged on most."""
    return scores.mask(flags | (flags.groupby(level="cell").transform("mean") > MOSTLY))


def _originals(scored: pd.DataFrame) -> "pd.Series[str]":
    """Return, by cell, the first of these cells with the same maps; itself where maps were not compared."""
    cells = scored.drop_duplicates("cell").set_index("cell", drop=False)
    if "map_of" not in cells:
        return cells["cell"]
    found = same_as(cells["map_of"])
    return found.where(found != "", cells["cell"])


def _ranks(scores: "pd.Series[float]", competing: Sequence[str], ending: str) -> pd.DataFrame:
    """Return the ranks of the competing cells, by their means over the images that all share, and the number of these.

    A cell whose faithfulness is undefined on every image has no rank and removes no image.
    """
    wide = scores.unstack("cell").groupby(level=PAIR).first().reindex(columns=list(competing))
    values = wide.to_numpy(dtype=np.float64)
    ranked, shared = common(values)
    ranks = np.full(len(competing), np.nan)
    if shared.any():
        ranks[ranked] = stats.rankdata(-tied(values[shared][:, ranked].mean(axis=0, keepdims=True)))
    return pd.DataFrame({"original": competing, f"rank{ending}": ranks, f"n_ranked{ending}": int(shared.sum())})


def directions(scored: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether higher is better, by definition of a metric; <NA> for a descriptive one."""
    return scored.drop_duplicates("definition").set_index("definition")["higher_is_better"]


def _row(values: pd.DataFrame, control: pd.DataFrame, flagged: Flags, groups: "pd.Series[str]") -> dict[str, float]:
    gains = values - control.reindex(values.index)
    images = values.index.get_level_values("image").to_series(index=values.index)
    codes = group_codes(images.map(groups), images)
    row: dict[str, float] = {"n": int(values["faithfulness"].notna().sum()), "flagged": int(flagged.sum())}
    for name in values.columns:
        row[name], row[f"{name} ±"] = mean_and_half_width(values[name].to_numpy(), codes)
        row[f"{name} gain"], row[f"{name} gain ±"] = mean_and_half_width(gains[name].to_numpy(), codes)
        row[f"{name} without"], row[f"{name} without ±"] = mean_and_half_width(
            values[name].mask(flagged).to_numpy(), codes
        )
    return row


def mean_and_half_width(
    values: np.ndarray[Any, np.dtype[np.float64]], groups: Groups | None = None
) -> tuple[float, float]:
    """Return the mean of the values that are not NaN, and 1.96 of its standard errors.

    Args:
        values: (N,).
        groups: (N,) number of every value's group; the standard error is that of the groups' means. None for values
            that are independent of one another.

    Returns:
        The mean is NaN where no value is defined, the half-width where fewer than two groups have one.
    """
    mean, error, _ = mean_and_error(values, singletons(len(values)) if groups is None else groups)
    return mean, 1.96 * error


def _cost(timing: pd.DataFrame) -> pd.DataFrame:
    return timing.groupby("cell").agg(cost_in_forwards=("cost_in_forwards", "median")).reset_index()

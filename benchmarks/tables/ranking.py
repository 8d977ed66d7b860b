"""A run's methods ranked by faithfulness: what the summary on the terminal shows."""

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
CELL = ["cell", "layer", "method"]
PAIR = ["image", "target"]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


def ranking(part: pd.DataFrame, timing: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cell of one model, dataset and set of metrics, the most faithful first.

    Every metric has its mean over images, the half-width of its 95 % interval, and both again for the gain over the
    random control, paired by image and explained class. Faithfulness is the sum of the metrics, each counted so that
    higher is better: insertion − deletion. ``rank`` is by its mean on the ``n_ranked`` images where all methods have
    it; a method's own ``n`` may be larger. ``flagged`` counts degenerate maps; every number is there a second time
    without these (``without``), with ``rank without`` by the means on the images where no map is flagged, for all but
    those that are flagged on most images.
    """
    wide = part.pivot(index=[*CELL, *PAIR], columns="definition", values="value")
    wide["faithfulness"] = (wide * directions(part).map({True: 1.0, False: -1.0})).sum(axis=1, skipna=False)
    control = wide[wide.index.get_level_values("method").map(plain) == CONTROL].groupby(PAIR).mean()
    flags = part.assign(flag=part["status"] == "degenerate").groupby([*CELL, *PAIR])["flag"].any().reindex(wide.index)
    groups = part.drop_duplicates("image").set_index("image")["group"]
    rows = [
        dict(zip(CELL, key, strict=True))
        | _row(values.reset_index(CELL, drop=True), control, flags[values.index].to_numpy(), groups)
        for key, values in wide.groupby(CELL)
    ]
    frame = pd.DataFrame(rows).merge(_cost(timing), how="left", on="cell")
    frame["stands"] = frame["cell"].map(_stands(part))
    for scores, ending in ((wide["faithfulness"], ""), (_sound(wide["faithfulness"], flags), " without")):
        frame = frame.merge(_ranks(scores, sorted(set(frame["stands"])), ending), how="left", on="stands")
    again = frame["stands"] != frame["cell"]
    return frame.assign(again=again).sort_values(["rank", "stands", "again"], kind="stable", ignore_index=True)


def _sound(scores: "pd.Series[float]", flags: "pd.Series[bool]") -> "pd.Series[float]":
    """Return scores without those of flagged maps, and none of a cell that is flagged on most images."""
    return scores.mask(flags | (flags.groupby(level="cell").transform("mean") > MOSTLY))


def _stands(part: pd.DataFrame) -> "pd.Series[str]":
    """Return, by cell, the cell among these that stands for it, itself where repeats are not known."""
    cells = part.drop_duplicates("cell").set_index("cell", drop=False)
    if "map_of" not in cells:
        return cells["cell"]
    found = same_as(cells["map_of"])
    return found.where(found != "", cells["cell"])


def _ranks(scores: "pd.Series[float]", competing: Sequence[str], ending: str) -> pd.DataFrame:
    """Return the rank of those that compete, by their means on the images that all share, and how many these are."""
    wide = scores.unstack("cell").groupby(level=PAIR).first().reindex(columns=list(competing))
    values = wide.to_numpy(dtype=np.float64)
    scored, rows = common(values)
    ranks = np.full(len(competing), np.nan)
    if rows.any():
        ranks[scored] = stats.rankdata(-tied(values[rows][:, scored].mean(axis=0, keepdims=True)))
    return pd.DataFrame({"stands": competing, f"rank{ending}": ranks, f"n_ranked{ending}": int(rows.sum())})


def directions(part: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether higher is better, by definition."""
    return part.drop_duplicates("definition").set_index("definition")["higher_is_better"]


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
    """Return the mean of the defined values and 1.96 standard errors of whole groups; NaN where there are too few."""
    mean, error, _ = mean_and_error(values, singletons(len(values)) if groups is None else groups)
    return mean, 1.96 * error


def _cost(timing: pd.DataFrame) -> pd.DataFrame:
    return timing.groupby("cell").agg(cost_in_forwards=("cost_in_forwards", "median")).reset_index()

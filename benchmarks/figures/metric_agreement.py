"""Agreement of metrics and models on the order of methods: rank correlations of every two judges.

A judge is a metric on a model; it orders the methods by their mean score.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from heatmark.benchmarks.figures.style import ONE_COLUMN, TWO_COLUMNS, below
from heatmark.benchmarks.figures.tables import Tables, named, titles
from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.concordance import judges
from heatmark.benchmarks.statistics.kendall import kendall_w

NAME = "metric_agreement"
FEWEST = 3
"""Number of methods of which an order can be compared."""
LETTER, CELL = 0.056, 0.28
"""Width of a letter, and of a number with its margin, in inches."""
LONGEST = 34
"""Largest number of letters of a judge's name in one line."""


def draw(tables: Tables) -> Figure | str:
    """Return a matrix of judges × judges: Kendall's τ-b of their scores below the diagonal, Spearman's ρ above."""
    scores = panel_of_judges(tables)
    if len(scores) < 2 or scores.shape[1] < FEWEST:
        return f"agreement needs two judges (a judge is a metric on a model) that both have scored {FEWEST} methods"
    values, n = agreement(scores), len(scores)
    names = _names([tuple(key) for key in scores.index])
    needed = LETTER * max(len(line) for name in names for line in name.split("\n")) + CELL * n + 0.75
    width = next((width for width in (ONE_COLUMN, TWO_COLUMNS * 0.7) if needed <= width), TWO_COLUMNS)
    figure = Figure(figsize=(width, 0.26 * n + 0.95), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(values, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
    if needed <= width:
        _write(ax, values)
    ax.set_xticks(range(n), [str(i + 1) for i in range(n)])
    ax.set_yticks(range(n), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, shrink=0.9, aspect=12, ticks=[-1, 0, 1], label="correlation")
    w = kendall_w(scores, ["all"] * len(scores))
    below(figure, f"Agreement on the order of {scores.shape[1]} methods. Below the diagonal: Kendall's τ-b; above: "
                     f"Spearman's ρ. Over all rows: Kendall's W\u00a0=\u00a0{w.w:.2f}, which is descriptive only: "
                     f"metrics of one model are not independent. {tables.where}".rstrip())  # fmt: skip
    return figure


def _names(judges: list[tuple[str, ...]]) -> list[str]:
    """Return the number and name of every judge, in two lines where one would be too long."""
    long = max(len(metric) + len(model) for model, metric in judges) > LONGEST
    return [f"{i + 1}  {metric},{chr(10) if long else ' '}{model}" for i, (model, metric) in enumerate(judges)]


def panel_of_judges(tables: Tables) -> pd.DataFrame:
    """Return mean scores (judges × methods), higher is better, of the methods that all judges have scored."""
    if tables.deepest.empty:
        return pd.DataFrame()
    scores = judges(tables.deepest).dropna(axis="columns")
    if scores.empty:
        return pd.DataFrame()
    flat = scores.reset_index()
    models = titles(tables.deepest)
    keys = [(models[tuple(row[SETTING])], named(row["metric"], row["definition"], flat)) for _, row in flat.iterrows()]
    scores.index = pd.MultiIndex.from_tuples(keys)
    return scores.sort_index(level=[1, 0], kind="stable")


def agreement(scores: pd.DataFrame) -> NDArray[np.float64]:
    """Return a matrix (judges, judges) with Kendall's τ-b below the diagonal, Spearman's ρ above it and 1 on it.

    Args:
        scores: (judges × methods).

    Returns:
        NaN where one of the two judges gives all methods the same score.
    """
    values = scores.to_numpy(dtype=np.float64)
    n = len(values)
    result = np.eye(n)
    varied = np.ptp(values, axis=1) > 0
    for i in range(n):
        for j in range(i):
            if varied[i] and varied[j]:
                result[i, j] = stats.kendalltau(values[i], values[j]).statistic
                result[j, i] = stats.spearmanr(values[i], values[j]).statistic
            else:
                result[i, j] = result[j, i] = np.nan
    return result


def _write(ax: Axes, values: NDArray[np.float64]) -> None:
    for (row, column), value in np.ndenumerate(values):
        if row != column:
            text = "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
            ax.text(column, row, text, ha="center", va="center", color="white" if abs(value) > 0.7 else "black")

"""Deletion and insertion curves: the class's score as the most relevant pixels are removed or inserted."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from heatmark.benchmarks.figures.style import Look, below, fold, grid, looks, repeats, span
from heatmark.benchmarks.figures.tables import Tables, panels
from heatmark.benchmarks.statistics.groups import group_codes, mean_and_error

NAME = "curves"


def draw(tables: Tables) -> Figure | str:
    """Return one panel per model and definition: each method's mean curve with its pointwise 95 % band."""
    if tables.curves.empty:
        return "curves.parquet has no rows: no metric of this run keeps its curves"
    shown = tables.leaderboard[tables.leaderboard["same_as"] == ""]
    curves = tables.curves[tables.curves["cell"].isin(shown["cell"])]
    curves = curves.merge(shown[["definition", "higher_is_better"]].drop_duplicates(), on="definition")
    groups = tables.scored.drop_duplicates(["cell", "image"])[["cell", "image", "group"]]
    curves = curves.merge(groups, on=["cell", "image"], how="left").fillna({"group": ""})
    parts, appearance = panels(curves), looks(tables)
    if not parts:
        return "no method at the deepest layer has a curve of its own"
    figure, axes = grid(len(parts), 2, 1.75)
    for position, (ax, (title, rows)) in enumerate(zip(axes, parts, strict=True)):
        for (method, _), cell in rows.groupby(["method", "cell"]):
            plot(ax, cell, appearance[str(method)])
        ax.set(title=fold(title), xlim=(0, 1), ylim=(0, 1))
        if position >= len(axes) - 2:
            ax.set_xlabel("fraction of pixels replaced")
        if position % 2 == 0:
            ax.set_ylabel("score of the class")
    images = span(rows["image"].nunique() for _, rows in parts)
    over = " over groups of images" if (curves["group"] != "").any() else ""
    note = f"Means over {images} images with pointwise 95 % intervals (Student's t{over}). "
    below(figure, note + tables.where + repeats(tables), curves["method"].unique(), tables)
    return figure


def plot(ax: Axes, cell: pd.DataFrame, look: Look) -> None:
    """Draw one cell's mean curve and its pointwise 95 % band (Student's t over images, or over groups of images)."""
    wide = cell.pivot(index=["image", "group"], columns="fraction", values="score")
    rows = wide.index.to_frame(index=False)
    codes = group_codes(rows["group"], rows["image"])
    points = [mean_and_error(column, codes) for column in wide.to_numpy(dtype=np.float64).T]
    x, (mean, error, groups) = wide.columns.to_numpy(), np.array(points).T
    with np.errstate(invalid="ignore"):
        reach = stats.t.ppf(0.975, groups - 1) * error
    every = max(1, len(x) // 7)
    ax.fill_between(x, mean - reach, mean + reach, color=look.colour, alpha=0.1, linewidth=0)
    ax.plot(x, mean, markevery=every, **look.line, **look.markers)

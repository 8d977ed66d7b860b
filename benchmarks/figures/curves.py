"""Deletion and insertion curves: the class's score as the most relevant pixels are removed or inserted."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from heatmark.benchmarks.figures.style import Look, below, fold, grid, looks, repeats, span
from heatmark.benchmarks.figures.tables import Tables, panels
from heatmark.benchmarks.statistics.groups import Groups, group_codes, mean_and_error
from heatmark.benchmarks.tables.curves import aligned

NAME = "curves"


@dataclass(frozen=True, eq=False)
class Mean:
    """The mean curve of a cell under one definition.

    Args:
        x, mean, reach: (K,), of the 95 % interval mean ± reach at each point.
        images: number of images.
    """

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    reach: NDArray[np.float64]
    images: int


def draw(tables: Tables) -> Figure | str:
    """Return one panel per model and definition: each method's mean curve with its pointwise 95 % band."""
    if tables.curves is None or not len(tables.curves):
        return "curves.parquet has no rows: no metric of this run keeps its curves"
    shown = tables.leaderboard[tables.leaderboard["same_as"] == ""]
    curves = {
        (str(cell), definition): mean
        for cell in shown["cell"].unique()
        for definition, mean in means(tables, str(cell))
    }
    drawn = [place in curves for place in zip(shown["cell"], shown["definition"], strict=True)]
    parts, appearance = panels(shown[drawn]), looks(tables)
    if not parts:
        return "no method at the deepest layer has a curve of its own"
    figure, axes = grid(len(parts), 2, 1.75)
    for position, (ax, (title, rows)) in enumerate(zip(axes, parts, strict=True)):
        for row in rows.sort_values(["method", "cell"]).to_dict("records"):
            plot(ax, curves[row["cell"], row["definition"]], appearance[row["method"]])
        ax.set(title=fold(title), xlim=(0, 1))
        if all(_in_unit(curves[place].mean) for place in zip(rows["cell"], rows["definition"], strict=True)):
            ax.set_ylim(0, 1)  # probabilities; logits have a range of their own
        if position >= len(axes) - 2:
            ax.set_xlabel("fraction of pixels replaced")
        if position % 2 == 0:
            ax.set_ylabel("score of the class")
    images = span(mean.images for mean in curves.values())
    over = " over groups of images" if (shown.loc[drawn, "unit"] == "groups").any() else ""
    note = f"Means over {images} images with pointwise 95 % intervals (Student's t{over}). "
    below(figure, note + tables.where + repeats(tables), shown.loc[drawn, "method"].unique(), tables)
    return figure


def means(tables: Tables, cell: str) -> Iterator[tuple[str, Mean]]:
    """Yield each definition under which a cell has curves, with their mean."""
    if tables.curves is None:
        return
    rows = tables.scored[tables.scored["cell"] == cell].drop_duplicates("image")
    groups = pd.Series(group_codes(rows["group"], rows["image"]), index=rows["image"])
    for definition, part in tables.curves.of(cell).groupby("definition"):
        known = part[part["image"].isin(groups.index)]
        if len(known):
            yield str(definition), _mean(known, groups[known["image"]].to_numpy())


def _mean(rows: pd.DataFrame, groups: Groups) -> Mean:
    """Return the mean of curves and its pointwise 95 % interval (Student's t over images, or over groups of them).

    Replicates of an image are of its group, so that they make no interval narrower.
    """
    x, scores = aligned(rows)
    scores = np.array([joined(x, each) for each in scores]).reshape(scores.shape)
    mean, error, count = np.array([mean_and_error(column, groups) for column in scores.T]).T
    with np.errstate(invalid="ignore"):
        reach = stats.t.ppf(0.975, count - 1) * error
    return Mean(x, mean, reach, rows["image"].nunique())


def joined(x: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a curve (K,) at all points from its first to its last, on straight lines between its own; else NaN.

    The images of a path over segments have points of their own: without this each would be a mean of one image.

    >>> joined(np.array([0.0, 0.25, 0.5, 1.0]), np.array([1.0, np.nan, 0.5, np.nan]))
    array([1.  , 0.75, 0.5 ,  nan])
    """
    own = ~np.isnan(scores)
    if not own.any():
        return scores
    found: NDArray[np.float64] = np.interp(x, x[own], scores[own], left=np.nan, right=np.nan)
    return found


def _in_unit(values: NDArray[np.float64]) -> bool:
    known = values[~np.isnan(values)]
    return bool(((known >= 0) & (known <= 1)).all())


def plot(ax: Axes, curve: Mean, look: Look) -> None:
    """Draw one cell's mean curve and its band."""
    every = max(1, len(curve.x) // 7)
    low, high = curve.mean - curve.reach, curve.mean + curve.reach
    ax.fill_between(curve.x, low, high, color=look.colour, alpha=0.1, linewidth=0)
    ax.plot(curve.x, curve.mean, markevery=every, **look.line, **look.markers)

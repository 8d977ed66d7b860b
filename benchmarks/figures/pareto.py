"""Faithfulness over cost, with the Pareto front: the methods that no other method beats in both."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from heatmark.benchmarks.figures.labels import place
from heatmark.benchmarks.figures.style import GREY, TWO_COLUMNS, Look, below, fold, grid, looks, span
from heatmark.benchmarks.figures.tables import Tables, on_common_images, settings
from heatmark.benchmarks.schema import CELL_KEY
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.replicates import averaged

NAME = "pareto"
FEW = 6
"""Largest number of methods whose names have room in a figure one column wide."""
CELL = [*CELL_KEY, "image", "group", "target", "status", "map_of"]
"""Columns of results that do not depend on the metric."""


def draw(tables: Tables) -> Figure | str:
    """Return one panel per model: mean faithfulness with 95 % intervals over cost in forward passes."""
    if tables.timing.empty:
        return "timing.parquet has no rows: nothing was timed in this run"
    scores = faithfulness(tables.deepest)
    if scores.empty:
        return "faithfulness is insertion − deletion, and this run does not have both"
    cost = tables.timing.groupby("cell", as_index=False)["cost_in_forwards"].median()
    ranked = leaderboard(on_common_images(scores)).merge(cost, on="cell").dropna(subset=["mean", "cost_in_forwards"])
    if ranked.empty:
        return "no method has both insertion − deletion and a cost: for each method, one of them is undefined"
    parts, appearance = _parts(ranked), looks(tables)
    figure, axes = grid(len(parts), 2, 2.7)
    if len(parts) == 1 and ranked["method"].nunique() > FEW:
        figure.set_figwidth(TWO_COLUMNS)  # so that names stand by their points
    for ax, (title, rows) in zip(axes, parts, strict=True):
        ax.set(title=fold(title), xscale="log", xlabel="cost in forward passes", ylabel="insertion − deletion")
        plot(ax, rows, appearance)
    rest = small_markers(ranked, tables)
    note = f"Means over {span(ranked['n'])} images, the same for all methods of a panel; bars: 95 % BCa intervals. "
    below(figure, note + "Grey line: Pareto front; up and to the left is better. " + tables.where + rest)
    for ax, (_, rows) in zip(axes, parts, strict=True):
        names = [tables.label(name) for name in rows.loc[rows["same_as"] == "", "method"]]
        place(figure, ax, _points(rows[rows["same_as"] == ""]), names, _points(rows[rows["same_as"] != ""]))
    return figure


def _points(rows: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(rows["cost_in_forwards"], rows["mean"], strict=True))


def _parts(ranked: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the title and the rows of every panel: one per model, and per definition where there are several."""
    several = ranked["definition"].nunique() > 1
    return [
        (f"{title}: {definition}" if several else title, part)
        for title, rows in settings(ranked)
        for definition, part in rows.groupby("definition")
    ]


def faithfulness(scored: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a results table with insertion − deletion of every cell and image; NaN where either is NaN."""
    cell, scored = [name for name in CELL if name in scored], averaged(scored)
    insertion, deletion = (
        scored[scored["metric"] == name].set_index(cell)[["definition", "value"]].add_suffix(f"_{name}")
        for name in ("insertion", "deletion")
    )
    joined = insertion.join(deletion, how="inner").reset_index()
    return joined[cell].assign(
        metric="faithfulness",
        definition=joined["definition_insertion"] + " − " + joined["definition_deletion"],
        value=joined["value_insertion"] - joined["value_deletion"],
        higher_is_better=True,
        reason="",
    )


def front(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the Pareto front: the rows to which no other is equal or better in both cost and mean, cheapest first.

    Of rows that are equal in both, the first.
    """
    ordered = rows.sort_values(["cost_in_forwards", "mean"], ascending=[True, False], kind="stable")
    best = ordered["mean"].cummax().shift(fill_value=float("-inf"))
    return ordered[ordered["mean"] > best]


def shared_means(rows: pd.DataFrame) -> "pd.Series[float]":
    """Return the mean of every row of a panel, of a method with another's maps that other's.

    The two differ by rounding only, which must not put the costlier one on the front.
    """
    known = rows.set_index("label")["mean"]
    return rows["same_as"].map(known).fillna(rows["mean"])


def plot(ax: Axes, rows: pd.DataFrame, appearance: dict[str, Look]) -> None:
    """Draw one model's methods and their front; a method with another method's maps has a small marker."""
    edge = front(rows.assign(mean=shared_means(rows)))
    ax.step(edge["cost_in_forwards"], edge["mean"], where="post", color=GREY, linewidth=0.8, zorder=0, label="front")
    for _, row in rows.iterrows():
        look = appearance[str(row["method"])]
        alone = row["same_as"] == ""
        if alone:
            ax.plot(
                [row["cost_in_forwards"]] * 2,
                [row["ci_low"], row["ci_high"]],
                color=look.colour,
                linewidth=0.6,
                alpha=0.5,
            )
        size = 4.5 if alone else 2.5
        place = [row["cost_in_forwards"]], [row["mean"]]
        ax.plot(*place, linestyle="", markersize=size, **look.markers, label=row["method"])
    low, high = rows["cost_in_forwards"].min(), rows["cost_in_forwards"].max()
    spread = max((high / low) ** 0.25, 1.3)
    ax.set_xlim(low / spread, high * spread)
    wide = high / low > 100  # more labels than a decade's own would run into one another
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def small_markers(ranked: pd.DataFrame, tables: Tables) -> str:
    """Return what small markers mean; ``""`` where there are none."""
    names = sorted({tables.label(name) for name in ranked.loc[ranked["same_as"] != "", "method"]})
    return f"Small markers: same maps as another method, at another cost ({', '.join(names)})." if names else ""

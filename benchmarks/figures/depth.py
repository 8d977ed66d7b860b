"""Mean scores over the depth of the explained layer."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmark.benchmarks.figures.style import Look, below, fold, grid, looks, span
from heatmark.benchmarks.figures.tables import (
    NO_LAYER,
    Tables,
    alike,
    by_depth,
    depths,
    named,
    on_common_images,
    panels,
    settings,
)
from heatmark.benchmarks.statistics.leaderboard import leaderboard

NAME = "depth"


def draw(tables: Tables) -> Figure | str:
    """Return one panel per model and definition: each method's mean and 95 % interval, layer by layer."""
    deep = [alike(rows) for _, rows in settings(tables.scored) if len(by_depth(rows)) > 1]
    if not deep:
        return "every model was explained at one layer only; sweep with layer=[early,middle,last]"
    ranked = leaderboard(on_common_images(pd.concat(deep)))
    ranked["depth"] = ranked["cell"].map(depths(tables.scored))
    parts, appearance = panels(ranked), looks(tables)
    figure, axes = grid(len(parts), 2, 1.8)
    for ax, (title, rows) in zip(axes, parts, strict=True):
        plot(ax, rows, appearance)
        ax.set(title=fold(title), ylabel=named(rows["metric"].iloc[0], rows["definition"].iloc[0], ranked))
    note = f"Means over {span(ranked['n'])} images, the same for all of a panel, with 95 % BCa intervals. "
    note += "Points of one layer are shifted sideways to be told apart. Horizontal: methods without a layer."
    below(figure, note, ranked["method"].unique(), tables)
    return figure


def plot(ax: Axes, rows: pd.DataFrame, appearance: dict[str, Look]) -> None:
    """Draw one line per method over the layers; the line of a method without a layer is horizontal."""
    layers = by_depth(rows)
    methods = [
        name for name in sorted(rows["method"].unique()) if name in set(rows.loc[rows["layer"] != NO_LAYER, "method"])
    ]
    for position, method in enumerate(methods):
        line = rows[rows["method"] == method].drop_duplicates("layer").set_index("layer").reindex(layers)
        x = [i + 0.06 * (position - (len(methods) - 1) / 2) for i in range(len(layers))]
        look = appearance[method]
        ax.vlines(x, line["ci_low"], line["ci_high"], color=look.colour, linewidth=0.6, alpha=0.6)
        ax.plot(x, line["mean"], label=method, **look.line, **look.markers)
    for _, row in rows[rows["layer"] == NO_LAYER].iterrows():
        look = appearance[str(row["method"])]
        ends = [-0.35, len(layers) - 0.65]
        ax.plot(ends, [row["mean"]] * 2, label=row["method"], alpha=0.9, **look.line, **look.markers)
    ax.set_xticks(range(len(layers)), layers)
    ax.set_xlim(-0.4, len(layers) - 0.6)

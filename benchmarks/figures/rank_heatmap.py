"""Ranks of all methods under every model and metric, in one picture."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.figures.style import ONE_COLUMN, TWO_COLUMNS, below
from benchmarks.figures.tables import Tables, heading, settings

NAME = "rank_heatmap"


def draw(tables: Tables) -> Figure | str:
    """Return methods × (model, metric), the best on average on top; a cell is the rank with its 95 % interval."""
    ranks = rank_table(tables)
    if ranks.empty or len(ranks) < 2:
        return "fewer than two methods have scores"
    width = ONE_COLUMN if ranks.shape[1] <= 3 else TWO_COLUMNS
    figure = Figure(figsize=(width, 0.19 * len(ranks) + 0.75), layout="constrained")
    ax = figure.subplots()
    ax.imshow(ranks.to_numpy(), cmap="viridis_r", aspect="auto", vmin=1, vmax=np.nanmax(ranks.to_numpy()))
    keys: list[tuple[str, str, str]] = [tuple(key) for key in ranks.columns]  # type: ignore[misc]
    for row, method in enumerate(ranks.index):
        for column, key in enumerate(keys):
            dark = ranks.iat[row, column] > 0.45 * np.nanmax(ranks.to_numpy())
            words = _cell(tables, str(method), key)
            ax.text(column, row, words, ha="center", va="center", color="white" if dark else "black")
    ax.set_yticks(range(len(ranks)), [tables.label(str(name)) for name in ranks.index])
    ax.set_xticks(range(ranks.shape[1]), [metric for _, metric, _ in keys])
    ax.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    _models(ax, [title for title, _, _ in keys])
    below(figure, "Rank by mean over images with its 95 % bootstrap interval; = repeats another method's scores.")
    return figure


def rank_table(tables: Tables) -> pd.DataFrame:
    """Return ranks, methods × (model, metric, definition), the best mean rank first; NaN where a method has none."""
    parts = {
        (title, heading(rows, tables.board), str(definition)): rows.drop_duplicates("method").set_index("method")[
            "rank"
        ]
        for title, setting in settings(tables.board)
        for (_, definition), rows in setting.groupby(["metric", "definition"])
    }
    if not parts:
        return pd.DataFrame()
    ranks = pd.DataFrame(parts)
    return ranks.loc[ranks.mean(axis="columns").sort_values(kind="stable").index]


def _cell(tables: Tables, method: str, key: tuple[str, str, str]) -> str:
    rows = next(rows for title, rows in settings(tables.board) if title == key[0])
    found = rows[(rows["method"] == method) & (rows["definition"] == key[2])]
    if found.empty or np.isnan(found["rank"].iloc[0]):
        return "–"
    row = found.iloc[0]
    interval = "" if np.isnan(row["rank_low"]) else f"  [{row['rank_low']:g}, {row['rank_high']:g}]"
    return ("= " if row["same_as"] else "") + f"{row['rank']:g}{interval}"


def _models(ax: Axes, titles: list[str]) -> None:
    """Write each model once above its metrics, and part the models with a white line."""
    starts = [i for i, title in enumerate(titles) if i == 0 or titles[i - 1] != title]
    for start, end in zip(starts, [*starts[1:], len(titles)], strict=True):
        middle = (start + end - 1) / 2
        ax.annotate(titles[start], (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 14),
                    textcoords="offset points", ha="center", va="bottom", fontsize=8)  # fmt: skip
        if start:
            ax.axvline(start - 0.5, color="white", linewidth=3)

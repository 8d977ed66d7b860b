"""A matrix of ranks: methods as rows, models and metrics as columns."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmark.benchmarks.figures.style import ONE_COLUMN, SMALL, TWO_COLUMNS, below, fold
from heatmark.benchmarks.figures.tables import Tables, heading, settings

NAME = "rank_heatmap"
LETTER = 0.056
"""Width of a letter, in inches."""


def draw(tables: Tables) -> Figure | str:
    """Return a matrix of methods × (model, metric) of ranks with 95 % intervals, the best mean rank on top."""
    ranks = rank_table(tables)
    if len(ranks) < 2 or ranks.isna().all(axis=None):
        return "fewer than two methods have ranks"
    keys: list[tuple[str, str, str]] = [tuple(key) for key in ranks.columns]  # type: ignore[misc]
    names, metrics = [tables.label(str(name)) for name in ranks.index], [metric for _, metric, _ in keys]
    words = [[_cell(tables, str(method), key) for key in keys] for method in ranks.index]
    width = ONE_COLUMN if len(keys) <= 3 else TWO_COLUMNS
    room = (width - LETTER * max(map(len, names))) / len(keys) / LETTER
    turned = LETTER * max(map(len, metrics)) if max(map(len, metrics)) >= room else 0.0
    narrow = max(len(text) for row in words for text in row) >= room
    figure = Figure(figsize=(width, 0.19 * len(ranks) + 0.75 + turned), layout="constrained")
    ax = figure.subplots()
    _fill(ax, ranks, [[text.partition("  [")[0] for text in row] for row in words] if narrow else words)
    ax.set_yticks(range(len(ranks)), names)
    ax.set_xticks(range(len(keys)), metrics, rotation=90 if turned else 0)
    ax.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    _models(ax, [title for title, _, _ in keys], room, turned)
    interval = "" if narrow else ", with its 95 % bootstrap interval"
    flagged = " †: map flagged as degenerate on most images." if tables.leaderboard["mostly_flagged"].any() else ""
    again = " =: same maps as another method." if (tables.leaderboard["same_as"] != "").any() else ""
    told = f"{interval}.{flagged}{again} {tables.where}{tables.repeats}"
    below(figure, f"Rank by mean over the images on which all methods are defined{told}")
    return figure


def _fill(ax: Axes, ranks: pd.DataFrame, words: list[list[str]]) -> None:
    values = ranks.to_numpy()
    last = np.nanmax(values)
    ax.imshow(values, cmap="viridis_r", aspect="auto", vmin=1, vmax=last)
    for row, texts in enumerate(words):
        for column, text in enumerate(texts):
            dark = values[row, column] - 1 > 0.45 * (last - 1)
            ax.text(column, row, text, ha="center", va="center", color="white" if dark else "black")


def rank_table(tables: Tables) -> pd.DataFrame:
    """Return ranks (methods × (model, metric, definition)), the best mean rank first; NaN where a method has none."""
    ranked = tables.leaderboard[tables.leaderboard["higher_is_better"].notna()]
    parts = {
        (title, heading(rows, ranked), str(definition)): rows.drop_duplicates("method").set_index("method")["rank"]
        for title, setting in settings(ranked)
        for (_, definition), rows in setting.groupby(["metric", "definition"])
    }
    if not parts:
        return pd.DataFrame()
    ranks = pd.DataFrame(parts)
    return ranks.loc[ranks.mean(axis="columns").sort_values(kind="stable").index]


def _cell(tables: Tables, method: str, key: tuple[str, str, str]) -> str:
    rows = next(rows for title, rows in settings(tables.leaderboard) if title == key[0])
    found = rows[(rows["method"] == method) & (rows["definition"] == key[2])]
    if found.empty or np.isnan(found["rank"].iloc[0]):
        return "–"
    row = found.iloc[0]
    interval = "" if np.isnan(row["rank_low"]) else f"  [{row['rank_low']:g}, {row['rank_high']:g}]"
    dagger = "†" if row["mostly_flagged"] else ""
    return ("= " if row["same_as"] else "") + f"{row['rank']:g}{dagger}{interval}"


def _models(ax: Axes, titles: list[str], room: float, turned: float) -> None:
    """Write each model's name once above its metrics, and draw a white line between models.

    Args:
        ax: where to draw.
        titles: the model's name of every column.
        room: number of letters that have room in a column.
        turned: height of the metrics' names where they are rotated, in inches; else 0.
    """
    starts = [i for i, title in enumerate(titles) if i == 0 or titles[i - 1] != title]
    for start, end in zip(starts, [*starts[1:], len(titles)], strict=True):
        middle = (start + end - 1) / 2
        letters = max(8, int(room * (end - start) * SMALL / 8))
        title = titles[start] if len(titles[start]) <= letters else fold(titles[start].replace("_", " "), letters)
        ax.annotate(title, (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 14 + 72 * turned),
                    textcoords="offset points", ha="center", va="bottom", fontsize=8)  # fmt: skip
        if start:
            ax.axvline(start - 0.5, color="white", linewidth=3)

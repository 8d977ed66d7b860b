"""A grid of images and methods that shows their maps."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from heatmark.benchmarks.explain.overlay import tamed
from heatmark.benchmarks.figures.style import SMALL, TWO_COLUMNS, below, fold
from heatmark.benchmarks.figures.tables import Tables, settings, titles
from heatmark.benchmarks.tables.pictures import NONE_STORED, Gallery, Shown, class_name, pixels
from heatmark.benchmarks.tables.resizing import upsampled

NAME = "qualitative"
MOST_METHODS = 8
LETTERS = 13
"""Largest number of letters in one line of a name beside a picture."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the grid: one image explained for one model.

    Args:
        title: the name of the class, below the model's where there are several models.
        picture: (H, W, 3) in [0, 1].
        maps: raw maps (h, w) by method.
    """

    title: str
    picture: Array
    maps: dict[str, Array]


def draw(tables: Tables) -> Figure | str:
    """Return one row per image: the picture, and every method's map over the grey picture, each on its own scale."""
    if tables.run is None or not (tables.run / "requests").is_dir():
        return "the run keeps no maps"
    methods, shown = shown_methods(tables), Shown(tables.run)
    models = [(title, rows, shown.gallery(rows.iloc[0].to_dict())) for title, rows in settings(tables.deepest)]
    if without := [title for title, _, gallery in models if gallery is None]:  # a grid would not show what it lacks
        return f"{', '.join(without)}: {NONE_STORED}"
    rows = [
        row for title, scored, gallery in models if gallery
        for row in _rows(tables, title, scored, _Kept(shown, gallery), methods)
    ]  # fmt: skip
    if not any(row.maps for row in rows) or not methods:
        return "no image of this run has both a picture and a map"
    figure = _drawn(tables, rows, methods)
    left_out = sorted(set(tables.deepest["method"]) - set(methods))
    more = f" Not shown: {', '.join(map(tables.label, left_out))}." if left_out else ""
    below(
        figure,
        "Maps of the explained class, each coloured from its smallest value (dark) to its largest (bright); maps with "
        "one value per pixel are clipped at the 99th percentile of their absolute values. "
        f"{tables.where}".rstrip()
        + more,
    )
    return figure


def _drawn(tables: Tables, rows: Sequence[Row], methods: Sequence[str]) -> Figure:
    figure, axes = _grid(len(rows), len(methods) + 1)
    for row, panels in zip(rows, axes, strict=True):
        panels[0].imshow(row.picture, interpolation="bilinear")
        panels[0].set_ylabel(row.title, fontsize=SMALL, labelpad=2)
        for ax, method in zip(panels[1:], methods, strict=True):
            _show(ax, row, method)
    axes[0][0].set_title("image", fontsize=SMALL, loc="center")
    for ax, method in zip(axes[0][1:], methods, strict=True):
        ax.set_title(fold(tables.label(method), LETTERS + 1), fontsize=SMALL, loc="center")
    return figure


def shown_methods(tables: Tables) -> list[str]:
    """Return the methods to show: the suite's own first, then by mean rank, at most eight; none with repeated maps."""
    ranked = tables.leaderboard[tables.leaderboard["same_as"] == ""]
    order = ranked.groupby("method").agg(rank=("rank", "mean"), kind=("implementation", "first"))
    order["library"] = order["kind"] != "heatmark"
    return [str(name) for name in order.sort_values(["library", "rank"], kind="stable").index[:MOST_METHODS]]


@dataclass(frozen=True, eq=False)
class _Kept:
    """What a run keeps to look at, and the pictures of one of its settings."""

    shown: Shown
    gallery: Gallery


def _rows(tables: Tables, title: str, scored: pd.DataFrame, kept: _Kept, methods: Sequence[str]) -> list[Row]:
    """Return the rows of one model: the first images of its gallery, of as many classes as possible."""
    number = len(titles(tables.deepest))
    above = _lines(title.replace("_", " "), 3) if number > 1 else []
    picked = _picked(scored, kept.gallery).head(max(1, tables.images // number))
    known = kept.shown.entries(scored.iloc[0].to_dict())
    entries = [known[str(image)] for image in picked["image"]]
    keys = scored.drop_duplicates("method").set_index("method")["maps"]
    maps = {name: kept.shown.maps(str(keys[name]), entries) for name in methods if name in keys}
    return [
        Row(
            "\n".join([*above, *_lines(class_name(kept.gallery, str(target)))]),
            pixels(kept.gallery.pictures[str(image)]),
            {name: raw for name, of_all in maps.items() if (raw := of_all[position]) is not None},
        )
        for position, (image, target) in enumerate(picked[["image", "target"]].itertuples(index=False, name=None))
    ]


def _picked(scored: pd.DataFrame, gallery: Gallery) -> pd.DataFrame:
    """Return the images with a picture and their classes, the first of each class before all others."""
    images = scored[scored["cell"] == scored["cell"].iloc[0]].drop_duplicates("image")
    kept: pd.DataFrame = images[images["image"].isin(list(gallery.pictures))]
    return kept.assign(again=kept["target"].duplicated()).sort_values("again", kind="stable")


def _lines(name: str, most: int = 2) -> list[str]:
    """Return a model's or class's name in at most ``most`` lines, each no longer than a picture is high."""
    return textwrap.wrap(name, LETTERS, max_lines=most, placeholder=" …")


def _grid(rows: int, columns: int) -> tuple[Figure, NDArray[np.object_]]:
    """Return a figure two columns of print wide, and its axes (rows, columns), which are square and have no ticks."""
    side = (TWO_COLUMNS - 0.35) / columns
    figure = Figure(figsize=(TWO_COLUMNS, rows * side + 0.35), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)  # type: ignore[union-attr, call-arg]
    axes: NDArray[np.object_] = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return figure, axes


def _show(ax: Axes, row: Row, method: str) -> None:
    if method not in row.maps:
        ax.text(0.5, 0.5, "n/a", transform=ax.transAxes, ha="center", va="center")
        return
    ax.imshow(overlay(row.picture, row.maps[method]), interpolation="bilinear")


def overlay(picture: Array, raw: Array, alpha: float = 0.6) -> Array:
    """Return a map over its picture (H, W, 3): α inferno((map − min) / (max − min)) + (1 − α) gray, in [0, 1].

    A constant map counts as 0. A map with at least one value per pixel is clipped at the 99th percentile of its
    absolute values first.

    Args:
        picture: (H, W, 3) in [0, 1].
        raw: (h, w), upsampled to the picture's size as for metrics.
        alpha: weight of the map, in [0, 1].
    """
    height, width = picture.shape[:2]
    full = upsampled(raw, (height, width))
    full = tamed(full) if raw.shape[0] >= height and raw.shape[1] >= width else full  # a picture may be stored smaller
    span = np.ptp(full)
    scaled = (full - full.min()) / span if span > 0 else np.zeros_like(full)
    gray = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    mixed: Array = alpha * colormaps["inferno"](scaled)[..., :3] + (1 - alpha) * gray[..., None]
    return mixed

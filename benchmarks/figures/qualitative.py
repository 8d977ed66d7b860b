"""Images × methods: what the maps look like."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.explain.overlay import tamed
from heatmark.benchmarks.figures.pictures import configs, job
from heatmark.benchmarks.figures.style import SMALL, TWO_COLUMNS, below, fold
from heatmark.benchmarks.figures.tables import Tables, settings, titles
from heatmark.benchmarks.tables.recorded import is_of
from heatmark.common.resize import upsample

NAME = "qualitative"
MOST_METHODS = 8
LETTERS = 13
"""Of a name that stand beside a picture."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Row:
    """One image of one model: a title, the picture (H, W, 3) in [0, 1], its maps (h, w) by method."""

    title: str
    picture: Array
    maps: dict[str, Array]


def draw(tables: Tables) -> Figure | str:
    """Return a row an image: the picture, and every method's map over it in grey, each map on a scale of its own."""
    if tables.run is None or not (tables.run / "maps").is_dir():
        return "the run keeps no maps"
    methods = chosen(tables)
    try:
        rows = [row for title, scores in settings(tables.deepest) for row in _rows(tables, title, scores, methods)]
    except (ValueError, OSError, KeyError) as error:  # data that moved must not cost the other figures
        return f"the pictures cannot be made again: {one_paragraph(error)}"
    if not rows or not methods:
        return "no image of this run has both a picture and a map"
    figure, axes = _cells(len(rows), len(methods) + 1)
    for row, scores in zip(rows, axes, strict=True):
        scores[0].imshow(row.picture, interpolation="bilinear")
        scores[0].set_ylabel(row.title, fontsize=SMALL, labelpad=2)
        for ax, method in zip(scores[1:], methods, strict=True):
            _show(ax, row, method)
    axes[0][0].set_title("image", fontsize=SMALL, loc="center")
    for ax, method in zip(axes[0][1:], methods, strict=True):
        ax.set_title(fold(tables.label(method), LETTERS + 1), fontsize=SMALL, loc="center")
    left_out = sorted(set(tables.deepest["method"]) - set(methods))
    more = f" Not shown: {', '.join(map(tables.label, left_out))}." if left_out else ""
    below(
        figure,
        "Maps of the explained class, each from its own smallest value (dark) to its largest (bright); maps of single "
        f"pixels to the 99th percentile. {tables.where}".rstrip()
        + more,
    )
    return figure


def chosen(tables: Tables) -> list[str]:
    """Return the methods to show: those that stand for themselves, ours first, at most eight; best mean rank first."""
    ranked = tables.leaderboard[tables.leaderboard["same_as"] == ""]
    order = ranked.groupby("method").agg(rank=("rank", "mean"), kind=("implementation", "first"))
    order["library"] = order["kind"] != "heatmark"
    return [str(name) for name in order.sort_values(["library", "rank"], kind="stable").index[:MOST_METHODS]]


def _rows(tables: Tables, title: str, scores: pd.DataFrame, methods: list[str]) -> list[Row]:
    """Return the rows of one model: its first images, of different classes as far as there are."""
    run, shown = Path() if tables.run is None else tables.run, len(titles(tables.deepest))
    cells = scores.drop_duplicates("method").set_index("method")["cell"]
    # the images of one cell under one metric stand in the table as they stand in its maps
    images = scores[scores["cell"] == cells.iloc[0]].drop_duplicates("image").reset_index(drop=True)
    again = images["target"].duplicated()
    picked = images[["image", "target"]].assign(again=again).sort_values("again", kind="stable")
    picked = picked.head(max(1, tables.images // shown))
    known = job(_config(run, title, images.iloc[0].to_dict()), list(picked["image"]))
    maps = {name: np.load(run / "maps" / f"{cells[name]}.npy", mmap_mode="r") for name in methods if name in cells}
    return [
        Row(
            "\n".join(
                [*(_lines(title.replace("_", " "), 3) if shown > 1 else []), *_lines(known.class_name(row.target))]
            ),
            known.pictures[row.image],
            {name: np.array(of_all[row.Index]) for name, of_all in maps.items()},
        )
        for row in picked.itertuples()
        if row.image in known.pictures
    ]


def _lines(name: str, most: int = 2) -> list[str]:
    """Break a model's or class's name into so many lines at most, as long as a picture is high."""
    return textwrap.wrap(name, LETTERS, max_lines=most, placeholder=" …")


def _config(run: Path, title: str, facts: Mapping[str, str]) -> dict[str, object]:
    found = [job["config"] for job in configs(run) if is_of(job, facts)]
    if not found:
        raise ValueError(f"provenance.json does not know {title}")
    config: dict[str, object] = found[0]
    return config


def _cells(rows: int, columns: int) -> tuple[Figure, NDArray[np.object_]]:
    """Return a figure two columns wide of square scores without ticks."""
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
    """Return a map over its picture: α inferno(map, min–max to [0, 1]) + (1 − α) gray; a flat map counts as 0.

    A map that has a value of its own for every pixel is held within the 99th percentile of its absolute values.

    Args:
        picture: (H, W, 3) in [0, 1].
        raw: (h, w), brought to the picture's size as metrics see it.
        alpha: weight of the map.
    """
    height, width = picture.shape[:2]
    full = upsample(torch.from_numpy(np.asarray(raw, np.float32))[None], (height, width))[0].numpy()
    full = tamed(full) if raw.shape == (height, width) else full
    span = np.ptp(full)
    scaled = (full - full.min()) / span if span > 0 else np.zeros_like(full)
    gray = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    mixed: Array = alpha * colormaps["inferno"](scaled)[..., :3] + (1 - alpha) * gray[..., None]
    return mixed

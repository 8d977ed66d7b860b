"""A run on the terminal: methods ranked by faithfulness, with their cost, and what went wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.columns import SETTING
from benchmarks.statistics.variants import plain, told_apart

CONTROL = "random"
CELL = ["trial", "layer", "method"]
PAIR = ["image", "target"]


def show(results: pd.DataFrame, run: Path, shards: list[dict[str, Any]]) -> None:
    """Print a ranked table for each model, set of images and of metrics, then every skip and error with its reason."""
    console = Console()
    timing = pd.read_parquet(run / "timing.parquet")
    named = told_apart(results)
    scored = named[named["metric"] != ""]
    definitions = scored.groupby("trial")["definition"].agg(lambda names: " ".join(sorted(set(names))))
    images = scored.groupby("trial")["image"].agg(frozenset)
    alike = [*SETTING, *(scored["trial"].map(facts) for facts in (definitions, images))]
    for (dataset, rule, model, weights, *_), cells in scored.groupby(alike, sort=False):
        asked = "" if rule == "predicted" else f", target {rule}"
        accuracy = _accuracy(shards, (str(model), str(weights), str(dataset)), cells["image"].nunique())
        title = f"{model} ({weights}) on {dataset}{asked}{accuracy}"
        console.print(_table(ranking(cells, timing), title, cells))
    for line in (*_unfinished(shards), *_remarks(results)):
        console.print(line, markup=False, highlight=False)
    console.print(
        f"\n{run}: results, timing, curves (.parquet, .csv), provenance.json", soft_wrap=True, highlight=False
    )


def ranking(cells: pd.DataFrame, timing: pd.DataFrame) -> pd.DataFrame:
    """Return one row a trial of one model, dataset and set of metrics, the most faithful first.

    Every metric has its mean over images, the half-width of its 95 % interval, and both again for the gain over the
    random control, paired by image and explained class. Faithfulness is the sum of the metrics, each counted so that
    higher is better: insertion − deletion.
    """
    wide = cells.pivot(index=[*CELL, *PAIR], columns="definition", values="value")
    wide["faithfulness"] = (wide * _directions(cells).map({True: 1.0, False: -1.0})).sum(axis=1, skipna=False)
    control = wide[wide.index.get_level_values("method").map(plain) == CONTROL].groupby(PAIR).mean()
    rows = [
        dict(zip(CELL, key, strict=True)) | _row(values.reset_index(CELL, drop=True), control)
        for key, values in wide.groupby(CELL)
    ]
    frame = pd.DataFrame(rows)
    for column in (_cost(timing), _flagged(cells)):
        frame = frame.merge(column, how="left", on="trial")
    return frame.sort_values("faithfulness", ascending=False, kind="stable", ignore_index=True)


def _directions(cells: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether higher is better, by definition."""
    return cells.drop_duplicates("definition").set_index("definition")["higher_is_better"]


def _row(values: pd.DataFrame, control: pd.DataFrame) -> dict[str, float]:
    gains = values - control.reindex(values.index)
    row: dict[str, float] = {}
    for name in values.columns:
        row[name], row[f"{name} ±"] = mean_and_half_width(values[name].to_numpy())
        row[f"{name} gain"], row[f"{name} gain ±"] = mean_and_half_width(gains[name].to_numpy())
    return row


def mean_and_half_width(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the mean of the defined values and 1.96 s/√n; NaN where there are too few."""
    defined = values[~np.isnan(values)]
    if len(defined) < 2:
        return (float(defined.mean()) if len(defined) else float("nan")), float("nan")
    return float(defined.mean()), float(1.96 * defined.std(ddof=1) / np.sqrt(len(defined)))


def _cost(timing: pd.DataFrame) -> pd.DataFrame:
    return timing.groupby("trial").agg(cost_in_forwards=("cost_in_forwards", "median")).reset_index()


def _flagged(cells: pd.DataFrame) -> pd.DataFrame:
    images = cells[cells["status"] == "degenerate"].drop_duplicates(["trial", "image"])
    return images.groupby("trial").agg(flagged=("image", "count")).reset_index()


def _table(frame: pd.DataFrame, title: str, cells: pd.DataFrame) -> Table:
    """Lay a ranking out: a method, and under it, dim, its layer and its gain over the random control."""
    table = Table(title=title, caption=_caption(cells), title_style="bold", box=None, padding=(0, 1, 0, 0))
    table.title_justify = table.caption_justify = "left"
    directions = _directions(cells)
    numbers = [*directions.index, "faithfulness"]
    table.add_column("method", overflow="ellipsis", no_wrap=True, max_width=40)
    for name in numbers:
        heading = f"{_short(name).removesuffix('ness')} {'↑' if directions.get(name, True) else '↓'}"
        table.add_column(heading, justify="right", no_wrap=True, min_width=12)
    table.add_column("forwards", justify="right", min_width=8)
    if flagged := frame["flagged"].notna().any():
        table.add_column("flags", justify="right", min_width=5)
    for _, row in frame.iterrows():
        ending = [_number(row["cost_in_forwards"], 2), *([_number(row["flagged"], 0)] if flagged else [])]
        table.add_row(row["method"], *[_interval(row, n) for n in numbers], *ending)
        gains = [] if plain(row["method"]) == CONTROL else [_interval(row, f"{n} gain", "+") for n in numbers]
        table.add_row(f"  {_tail(row['layer'], 22)}", *gains, style="dim")
    return table


def _caption(cells: pd.DataFrame) -> str:
    known = CONTROL in set(cells["method"].map(plain))
    control = f"; below, the gain over {CONTROL}, paired by image" if known else ""
    definitions = "; ".join(sorted(set(cells["definition"])))
    return escape(f"mean ± 95 % interval over {cells['image'].nunique()} images{control}; {definitions}")


def _tail(layer: str, length: int) -> str:
    """Return a layer's name, cut in front where it is long: its end tells it from others."""
    return layer if len(layer) <= length else f"…{layer[1 - length :]}"


def _number(value: float, decimals: int) -> str:
    return "" if pd.isna(value) else f"{value:.{decimals}f}"


def _short(definition: str) -> str:
    return definition.split(":")[0].split("[")[0]


def _interval(row: "pd.Series[Any]", name: str, sign: str = "") -> str:
    if pd.isna(row[name]):
        return "" if sign else "–"
    half = row[f"{name} ±"]
    return f"{row[name]:{sign}.3f}" + ("" if pd.isna(half) else f" ±{half:.3f}".replace("±0.", "±."))


def _accuracy(shards: list[dict[str, Any]], subject: tuple[str, str, str], images: int) -> str:
    """Return the top-1 of (model, weights, dataset) on so many images; nothing where shards say different things."""
    found = {
        (shard["accuracy"], shard["labelled"])
        for shard in shards
        if (shard["model"], shard.get("weights"), shard["dataset"], shard.get("images")) == (*subject, images)
        and shard.get("accuracy") is not None
    }
    if len(found) != 1:
        return ""
    accuracy, labelled = found.pop()
    return f", top-1 {100 * accuracy:.1f} % of {labelled} labelled images"


def _unfinished(shards: list[dict[str, Any]]) -> list[str]:
    return [
        f"not finished: {s['model']} on {s['dataset']}; it is running still, or the same sweep goes on with it"
        for s in shards
        if s["status"] == "running"
    ]


def _remarks(results: pd.DataFrame) -> list[str]:
    without = results[results["status"].isin(["skipped", "error"])]
    cells = without.groupby(["status", "reason"], sort=False).agg(list).reset_index()
    return [f"{row.status}: {_cells(row)}: {row.reason}" for row in cells.itertuples()]


def _cells(row: Any) -> str:
    names = [" ".join(filter(None, part)) for part in zip(row.model, row.layer, row.method, strict=True)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

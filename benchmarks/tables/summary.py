"""The summary of a run on the terminal: methods ranked by faithfulness, their cost, skips and errors."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.comparisons import MOSTLY, arrow
from heatmark.benchmarks.statistics.groups import scored_on
from heatmark.benchmarks.statistics.variants import plain, told_apart
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.ranking import CONTROL, directions, ranking
from heatmark.benchmarks.tables.recorded import is_of
from heatmark.benchmarks.tables.troubles import named_troubles

WIDEST = 1000
"""Width in letters that no table exceeds."""


def show(results: pd.DataFrame, run: Path, jobs: list[dict[str, Any]]) -> None:
    """Print one ranking per model, set of images and set of metrics, then every skip and error with its reason.

    Args:
        results: the run's results table.
        run: folder of the run.
        jobs: what is recorded of the run's jobs.
    """
    console = Console()
    timing = read_table(run / "timing.parquet")
    named = told_apart(results)
    scored = named[named["metric"] != ""]
    definitions = scored.groupby("cell")["definition"].agg(lambda names: " ".join(sorted(set(names))))
    alike = [*SETTING, *(scored["cell"].map(facts) for facts in (definitions, scored_on(scored)))]
    for key, rows in scored.groupby(alike, sort=False):
        facts = dict(zip(SETTING, map(str, key), strict=False))
        asked = "" if facts["target_rule"] == "predicted" else f", target {facts['target_rule']}"
        accuracy = _accuracy(jobs, facts, rows["image"].nunique())
        title = f"{facts['model']} ({facts['weights']}) on {facts['dataset']}{asked}{accuracy}"
        _print_whole(console, _table(ranking(rows, timing), title, rows))
    for line in (*_unfinished(jobs), *_remarks(results)):
        console.print(line, markup=False, highlight=False)
    console.print(
        f"\n{run}: results, timing, curves (.parquet), summary.csv, provenance.json", soft_wrap=True, highlight=False
    )


def _print_whole(console: Console, table: Table) -> None:
    """Print a table at its full width, even where the terminal is narrower: rich would cut off digits and flags."""
    needed = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    Console(width=max(console.width, needed)).print(table)


def _table(frame: pd.DataFrame, title: str, rows: pd.DataFrame) -> Table:
    """Return a ranking laid out in two or three lines per method.

    They are: its scores; its layer and gain over random; its scores without flagged maps, where it has any.
    """
    table = Table(title=title, caption=_caption(rows, frame), title_style="bold", box=None, padding=(0, 1, 0, 0))
    table.title_justify = table.caption_justify = "left"
    upwards = directions(rows)
    numbers = [*upwards.index, "faithfulness"]
    table.add_column("method", overflow="ellipsis", no_wrap=True, max_width=40)
    for name in numbers:
        heading = f"{_short(name).removesuffix('ness')}{arrow(upwards.get(name, True))}"
        table.add_column(heading, justify="right", no_wrap=True, min_width=12)
    table.add_column("forwards", justify="right", min_width=8)
    if any_flagged := (frame["flagged"] > 0).any():
        table.add_column("flags", justify="right", min_width=5)
    images = rows["image"].nunique()
    for _, row in frame.iterrows():
        flags = [_flags(row, images)] if any_flagged else []
        cost = _number(row["cost_in_forwards"], 2)
        table.add_row(_name(row, images), *[_interval(row, n) for n in numbers], cost, *flags)
        again = row["original"] != row["cell"]  # its gain and its scores without flagged maps are those of the original
        gains = [] if again or plain(row["method"]) == CONTROL else [_gain(row, n, upwards) for n in numbers]
        table.add_row(f"  {_tail(row['layer'], 22)}", *gains, style="dim")
        if row["flagged"] and not again:
            table.add_row(f"  {_without(row, images)}", *[_interval(row, f"{n} without") for n in numbers], style="dim")
    return table


def _name(row: "pd.Series[Any]", images: int) -> str:
    """Return a method's name, after ``=`` where its maps are another method's, with n where it is not all images."""
    repeats = "" if row["original"] == row["cell"] else "= "
    return f"{repeats}{row['method']}" + (f" (n {row['n']})" if row["n"] < images else "")


def _flags(row: "pd.Series[Any]", images: int) -> str:
    """Return the number of flagged maps, with ``!`` where it is most of them."""
    return "" if not row["flagged"] else f"{row['flagged']}" + ("!" if _mostly(row, images) else "")


def _mostly(flagged: Any, images: int) -> Any:
    """Return whether a row is, or which rows of a frame are, flagged on most images."""
    return flagged["flagged"] > MOSTLY * images


def _without(row: "pd.Series[Any]", images: int) -> str:
    """Return the heading of the line without flagged maps: number of images, ranks with and without flagged maps."""
    after = "–" if pd.isna(row["rank without"]) else f"{row['rank without']:g}"
    before = "–" if pd.isna(row["rank"]) else f"{row['rank']:g}"
    return f"unflagged {images - row['flagged']}, rank {before}→{after}"


def _caption(rows: pd.DataFrame, frame: pd.DataFrame) -> str:
    images = rows["image"].nunique()
    groups = rows.loc[rows["group"] != "", "group"].nunique()
    over = f"{images} images" + (f", of {groups} groups" if groups else "")
    known = CONTROL in set(rows["method"].map(plain))
    control = f"; second lines: gain over {CONTROL}, paired by image" if known else ""
    means = f"mean ± half-width of the 95 % interval over {over}{control}"
    n = frame["n_ranked"].min()
    ranked = "" if n == images else f", over the {n:g} images on which all methods are defined"
    order = f"ranked by faithfulness (sum of the metrics, those with ↓ negated){ranked}"
    definitions = "; ".join(sorted(set(rows["definition"])))
    return escape(f"{means}; {order}{_caption_of_marks(frame, images)}; definitions: {definitions}")


def _caption_of_marks(frame: pd.DataFrame, images: int) -> str:
    """Return what the flags and the sign ``=`` mean, where a ranking has them."""
    marks = ""
    if (frame["flagged"] > 0).any():
        marks += "; flags: number of degenerate maps"
        marks += ", !: on most images, so that the rank means little" if _mostly(frame, images).any() else ""
        n = frame["n_ranked without"].min()
        marks += f"; unflagged: without them, second rank over the {n:g} images on which no map is flagged"
    if (frame["original"] != frame["cell"]).any():
        marks += "; =: same maps as the method above it, and its rank"
    return marks


def _tail(layer: str, length: int) -> str:
    """Return a layer's name, shortened at its beginning where it is long: names of layers differ at their ends."""
    return layer if len(layer) <= length else f"…{layer[1 - length :]}"


def _number(value: float, decimals: int) -> str:
    return "" if pd.isna(value) else f"{value:.{decimals}f}"


def _short(definition: str) -> str:
    return re.split(r"[:\[(]", definition)[0]


def _interval(row: "pd.Series[Any]", name: str, sign: str = "") -> str:
    if pd.isna(row[name]):
        return "" if sign else "–"
    half = row[f"{name} ±"]
    return f"{row[name]:{sign}.3f}" + ("" if pd.isna(half) else f" ±{half:.3f}".replace("±0.", "±."))


def _gain(row: "pd.Series[Any]", name: str, upwards: "pd.Series[bool]") -> str:
    """Return a gain over the control; ``""`` for a descriptive metric, which has none."""
    return "" if pd.isna(upwards.get(name, True)) else _interval(row, f"{name} gain", "+")


def _accuracy(jobs: list[dict[str, Any]], facts: Mapping[str, str], images: int) -> str:
    """Return the top-1 accuracy of a model's weights on so many images; ``""`` where jobs recorded several or none."""
    found = {
        (job["accuracy"], job["labelled"])
        for job in jobs
        if is_of(job, facts) and job.get("images") == images and job.get("accuracy") is not None
    }
    if len(found) != 1:
        return ""
    accuracy, labelled = found.pop()
    return f", top-1 {100 * accuracy:.1f} % of {labelled} labelled images"


def _unfinished(jobs: list[dict[str, Any]]) -> list[str]:
    return [
        f"not finished: {job['model']} on {job['dataset']}; either it is still running, or it was interrupted and "
        "the same sweep, started again, continues it"
        for job in jobs
        if job["status"] == "running"
    ]


def _remarks(results: pd.DataFrame) -> list[str]:
    without = results[results["status"].isin(["skipped", "error"])]
    groups = without.groupby(["status", "reason"], sort=False)
    return [f"{status}: {_cells(rows)}: {reason}" for (status, reason), rows in groups]


def _cells(rows: pd.DataFrame) -> str:
    names = named_troubles(rows, ["model", "layer", "method"], " ")
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

"""A run on the terminal: methods ranked by faithfulness, with their cost, and what went wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.comparisons import MOSTLY
from heatmark.benchmarks.statistics.groups import scored_on
from heatmark.benchmarks.statistics.variants import plain, told_apart
from heatmark.benchmarks.tables.ranking import CONTROL, directions, ranking
from heatmark.benchmarks.tables.recorded import is_of
from heatmark.benchmarks.tables.repeats import with_repeats

WIDEST = 1000
"""Letters, more than a table can have."""


def show(results: pd.DataFrame, run: Path, jobs: list[dict[str, Any]]) -> None:
    """Print a ranked table for each model, set of images and of metrics, then every skip and error with its reason."""
    console = Console()
    timing = pd.read_parquet(run / "timing.parquet")
    named = with_repeats(told_apart(results), run / "maps")
    scored = named[named["metric"] != ""]
    definitions = scored.groupby("cell")["definition"].agg(lambda names: " ".join(sorted(set(names))))
    alike = [*SETTING, *(scored["cell"].map(facts) for facts in (definitions, scored_on(scored)))]
    for key, rows in scored.groupby(alike, sort=False):
        facts = dict(zip(SETTING, map(str, key), strict=False))
        asked = "" if facts["target_rule"] == "predicted" else f", target {facts['target_rule']}"
        accuracy = _accuracy(jobs, facts, rows["image"].nunique())
        title = f"{facts['model']} ({facts['weights']}) on {facts['dataset']}{asked}{accuracy}"
        _whole(console, _table(ranking(rows, timing), title, rows))
    for line in (*_unfinished(jobs), *_remarks(results)):
        console.print(line, markup=False, highlight=False)
    console.print(
        f"\n{run}: results, timing, curves (.parquet, .csv), provenance.json", soft_wrap=True, highlight=False
    )


def _whole(console: Console, table: Table) -> None:
    """Print a table with all of its columns, on a terminal that is too narrow too: rich would cut digits and flags."""
    needed = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    Console(width=max(console.width, needed)).print(table)


def _table(frame: pd.DataFrame, title: str, rows: pd.DataFrame) -> Table:
    """Lay a ranking out: a method; under it, dim, its layer and gain over random; its numbers without flagged maps."""
    table = Table(title=title, caption=_caption(rows, frame), title_style="bold", box=None, padding=(0, 1, 0, 0))
    table.title_justify = table.caption_justify = "left"
    upwards = directions(rows)
    numbers = [*upwards.index, "faithfulness"]
    table.add_column("method", overflow="ellipsis", no_wrap=True, max_width=40)
    for name in numbers:
        heading = f"{_short(name).removesuffix('ness')} {'↑' if upwards.get(name, True) else '↓'}"
        table.add_column(heading, justify="right", no_wrap=True, min_width=12)
    table.add_column("forwards", justify="right", min_width=8)
    if any_flagged := (frame["flagged"] > 0).any():
        table.add_column("flags", justify="right", min_width=5)
    images = rows["image"].nunique()
    for _, row in frame.iterrows():
        flags = [_flags(row, images)] if any_flagged else []
        cost = _number(row["cost_in_forwards"], 2)
        table.add_row(_name(row, images), *[_interval(row, n) for n in numbers], cost, *flags)
        again = row["stands"] != row["cell"]  # what is below it was said of the one before
        gains = [] if again or plain(row["method"]) == CONTROL else [_interval(row, f"{n} gain", "+") for n in numbers]
        table.add_row(f"  {_tail(row['layer'], 22)}", *gains, style="dim")
        if row["flagged"] and not again:
            table.add_row(f"  {_without(row, images)}", *[_interval(row, f"{n} without") for n in numbers], style="dim")
    return table


def _name(row: "pd.Series[Any]", images: int) -> str:
    """Return a method's name, whether its maps are another one's, and the number of its images where not all."""
    repeats = "" if row["stands"] == row["cell"] else "= "
    return f"{repeats}{row['method']}" + (f" (n {row['n']})" if row["n"] < images else "")


def _flags(row: "pd.Series[Any]", images: int) -> str:
    """Return how many maps are flagged, with a sign where they are most."""
    return "" if not row["flagged"] else f"{row['flagged']}" + ("!" if _mostly(row, images) else "")


def _mostly(flagged: Any, images: int) -> Any:
    """Say whether a row, or every row, is flagged on most images."""
    return flagged["flagged"] > MOSTLY * images


def _without(row: "pd.Series[Any]", images: int) -> str:
    """Return what the line without flagged maps is called: how many images, and the rank with and without them."""
    after = "–" if pd.isna(row["rank without"]) else f"{row['rank without']:g}"
    before = "–" if pd.isna(row["rank"]) else f"{row['rank']:g}"
    return f"unflagged {images - row['flagged']}, rank {before}→{after}"


def _caption(rows: pd.DataFrame, frame: pd.DataFrame) -> str:
    images = rows["image"].nunique()
    groups = rows.loc[rows["group"] != "", "group"].nunique()
    over = f"{images} images" + (f", of {groups} groups" if groups else "")
    known = CONTROL in set(rows["method"].map(plain))
    control = f"; below, the gain over {CONTROL}, paired by image" if known else ""
    ranked = "" if (n := frame["n_ranked"].min()) == images else f"; in the order on the {n:g} images that all have"
    flags = "; !: flagged on most images, a rank that says nothing" if _mostly(frame, images).any() else ""
    if (frame["flagged"] > 0).any():
        flags += f"; ranks without flagged maps on the {frame['n_ranked without'].min():g} images where none is"
    if (frame["stands"] != frame["cell"]).any():
        flags += "; =: the maps of the method before, and its rank"
    definitions = "; ".join(sorted(set(rows["definition"])))
    return escape(f"mean ± 95 % interval over {over}{control}{ranked}{flags}; {definitions}")


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


def _accuracy(jobs: list[dict[str, Any]], facts: Mapping[str, str], images: int) -> str:
    """Return the top-1 of a model's weights on so many images; nothing where jobs say different things."""
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
        f"not finished: {s['model']} on {s['dataset']}; it is running still, or the same sweep goes on with it"
        for s in jobs
        if s["status"] == "running"
    ]


def _remarks(results: pd.DataFrame) -> list[str]:
    without = results[results["status"].isin(["skipped", "error"])]
    rows = without.groupby(["status", "reason"], sort=False).agg(list).reset_index()
    return [f"{row.status}: {_cells(row)}: {row.reason}" for row in rows.itertuples()]


def _cells(row: Any) -> str:
    names = [" ".join(filter(None, part)) for part in zip(row.model, row.layer, row.method, strict=True)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

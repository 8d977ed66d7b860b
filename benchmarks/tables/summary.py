"""The summary of a run on the terminal: its leaderboards, then what was skipped and what failed."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console, Group
from rich.text import Text

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.comparisons import Comparison, arrow, comparisons
from heatmark.benchmarks.statistics.gains import BESIDE
from heatmark.benchmarks.statistics.leaderboard import standings
from heatmark.benchmarks.statistics.variants import plain, told_apart
from heatmark.benchmarks.tables.contradictions import contradictions
from heatmark.benchmarks.tables.draws import draws_text
from heatmark.benchmarks.tables.gaps import gap_tables
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.layout import Block, fitting
from heatmark.benchmarks.tables.soundness import MARK, NONE, Unsound, unsound, why_unsound
from heatmark.benchmarks.tables.texts import bare
from heatmark.benchmarks.tables.troubles import named_troubles

PIPED = 100
"""Width of what is written to no terminal, where the environment's COLUMNS names none."""


def show(results: pd.DataFrame, run: Path, jobs: list[dict[str, Any]], console: Console | None = None) -> None:
    """Print a run's leaderboards, then every skip and error with its reason.

    Args:
        results: the run's results table.
        run: folder of the run.
        jobs: what is recorded of the run's jobs.
        console: where to print; None for the standard output.
    """
    console = console or _console()
    for group in tables_of(results, read_table(run / "timing.parquet"), console.width, unsound(run)):
        console.print(group, crop=False)
        console.print()
    for group in gap_tables(results, console.width):
        console.print(group, crop=False)
        console.print()
    for line in (*_nothing(results), *_unfinished(jobs), *_remarks(results)):
        console.print(line, markup=False, highlight=False)
    console.print(f"{run}: results, images, curves, timing (.parquet), summary.csv, provenance.json",
                  soft_wrap=True, highlight=False)  # fmt: skip


def tables_of(results: pd.DataFrame, timing: pd.DataFrame, width: int, failed: Unsound = NONE) -> list[Group]:
    """Return one leaderboard per setting and set of images, as rich prints it: title, tables, and what they mean.

    Args:
        results: the results table.
        timing: the timing table.
        width: letters per line that the tables are laid out for.
        failed: why metrics fail their cards (:func:`.soundness.unsound`): they are shown dim, with a mark.
    """
    medians = timing.groupby("cell")["cost_in_forwards"].median().dropna()
    costs = {str(cell): float(cost) for cell, cost in medians.items()}
    named = told_apart(results)
    told = [name for name in ("device", "precision") if len(named) and named[name].nunique() > 1]
    found = []
    for together in _alike(named):
        rows = named[named["cell"].isin(together[0].values.columns)]
        leaderboards = _leaderboards(together)
        why = zip(leaderboards, (why_unsound(each.facts, failed) for each in together), strict=True)
        block = Block(leaderboards, costs, len(together[0].values), {name: reason for name, reason in why if reason})
        title = Text(_title(together[0].facts, rows, told), style="bold")
        tables = fitting(block, width)
        lines = [
            *(_meaning(block, len(tables) > 1), draws_text(block.leaderboards), _definitions(block)),
            *(*_fails(block), *contradictions(leaderboards)),
        ]
        notes = [Text(line, style="dim") for line in lines if line]
        apart = [part for table in tables for part in (Text(), table)]
        found.append(Group(title, *apart[1:], *notes))
    return found


def in_letters(results: pd.DataFrame, timing: pd.DataFrame, failed: Unsound = NONE) -> str:
    """Return the leaderboards of a run as plain text, as the terminal shows them."""
    file = StringIO()
    width = _console().width
    console = Console(file=file, width=width, force_jupyter=False, force_terminal=False)
    for group in tables_of(results, timing, width, failed):
        console.print(group, crop=False)
        console.print()
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _console() -> Console:
    console = Console()
    return console if console.is_terminal or os.environ.get("COLUMNS") else Console(width=PIPED)


def _alike(results: pd.DataFrame) -> list[list[Comparison]]:
    """Return comparisons of one setting on the same images, groups and classes, in the order of the metrics."""
    order = {name: number for number, name in enumerate(results["definition"].unique())} if len(results) else {}
    found: dict[tuple[object, ...], list[Comparison]] = defaultdict(list)
    for comparison in comparisons(results):
        setting = tuple(comparison.facts[name] for name in SETTING)
        found[setting, tuple(comparison.values.index), comparison.groups.tobytes()].append(comparison)
    return [sorted(each, key=lambda one: order[one.facts["definition"]]) for each in found.values()]


def _leaderboards(together: list[Comparison]) -> dict[str, pd.DataFrame]:
    """Return leaderboards by the metric's name with an arrow, by its definition where a name has several."""
    names = [comparison.facts["metric"] for comparison in together]
    headings = [
        comparison.facts["metric" if names.count(comparison.facts["metric"]) == 1 else "definition"]
        + arrow(comparison.higher_is_better)
        for comparison in together
    ]
    return {heading: standings(comparison) for heading, comparison in zip(headings, together, strict=True)}


def _title(facts: Mapping[str, str], rows: pd.DataFrame, told: list[str]) -> str:
    asked = "" if facts["target_rule"] == "predicted" else f", target {facts['target_rule']}"
    also = "".join(f", {facts[name]}" for name in told)
    return f"{facts['model']} ({facts['weights']}) on {facts['dataset']}{asked}{also}{_accuracy(rows)}"


def _accuracy(rows: pd.DataFrame) -> str:
    """Return the top-1 accuracy on the labelled images among these rows; ``""`` where none is labelled."""
    correct = rows.drop_duplicates("image").get("correct", pd.Series(dtype="boolean")).dropna()
    return "" if correct.empty else f", top-1 {100 * correct.mean():.1f} % of {len(correct)} labelled images"


def _meaning(block: Block, apart: bool) -> str:
    """Return what the columns of a block mean, in one line.

    Args:
        block: the block.
        apart: whether each metric has a table of its own.
    """
    leaderboards = pd.concat(block.leaderboards.values())
    several = (leaderboards["n"] > 1).any()
    over = f"{block.images} image" + "s" * (block.images != 1)
    if (leaderboards["unit"] == "groups").any():
        over += f", of {leaderboards['n_groups'].max()} groups"
    parts = ["mean [95 % BCa interval] over " + over if several else f"scores of {over}, without intervals"]
    if not apart and len(block.leaderboards) > 1 and leaderboards["rank"].notna().any():
        parts.append(f"#: rank by {block.leading}")
    controls = leaderboards["method"].map(plain).isin(BESIDE)
    if controls.any() and not controls.all():
        parts.append("controls stand last, whatever their rank")
    if leaderboards["gain"].notna().any():
        parts.append("gain: how much better than random, paired by image")
    if (leaderboards["undefined"] > 0).any():
        parts.append(f"n: images where it is defined; ranks are over those where all are ({_least(leaderboards)})")
    if block.flagged:
        mostly = " (!: most, so the rank means little)" if leaderboards["mostly_flagged"].any() else ""
        parts.append(f"flags: degenerate maps{mostly}, ranks without them are in summary.csv")
    if (leaderboards["same_as"] != "").any():
        parts.append("=: the maps and rank of the method above")
    if any(cell in block.costs for cell in leaderboards["cell"]):
        parts.append("cost: in forward passes")
    return "; ".join(parts)


def _least(leaderboards: pd.DataFrame) -> str:
    counts = sorted(set(leaderboards["n_ranked"]))
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _definitions(block: Block) -> str:
    """Return the definitions that say more than the headings do; ``""`` where none does."""
    every = {heading: str(rows["definition"].iloc[0]) for heading, rows in block.leaderboards.items()}
    more = [definition for heading, definition in every.items() if definition != bare(heading)]
    return f"definitions: {'; '.join(more)}" if more else ""


def _fails(block: Block) -> Iterator[str]:
    """Yield why metrics fail their cards."""
    for heading, why in block.unsound.items():
        yield f"{MARK} {bare(heading)} fails its card on this data: {why}"


def _nothing(results: pd.DataFrame) -> Iterator[str]:
    if results.empty:
        yield "there is no score yet: no picture of this run has been explained"
    elif not (results["metric"] != "").any():
        yield "there is no score: everything was skipped or failed, for the reasons below"
    elif results["value"].isna().all():
        yield "no score is defined: results.parquet has a reason in every row"


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

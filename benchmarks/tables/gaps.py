"""The table of gaps closed on the terminal: methods by metrics, for each setting of a run that has searched maps."""

from collections.abc import Iterator

import pandas as pd
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.gains import CEILINGS
from heatmark.benchmarks.statistics.gap_closed import gap_closed
from heatmark.benchmarks.statistics.variants import plain, told_apart
from heatmark.benchmarks.tables.texts import interval, wrapped

NAMES, NUMBER = 28, 18
"""Letters of a method's name, and of a number with its interval."""


def gap_tables(results: pd.DataFrame, width: int) -> Iterator[Group]:
    """Yield a title, tables and a note for each setting of a run that has the random control and searched maps.

    Args:
        results: the results table.
        width: letters per line: so many metrics stand side by side as it has room for.
    """
    for _, rows in gap_closed(told_apart(results)).groupby(SETTING, sort=False):
        names = rows.drop_duplicates("definition")["metric"]
        rows = rows.assign(heading=rows["definition" if names.duplicated().any() else "metric"])
        headings = list(rows["heading"].unique())
        at_once = max(1, (width - NAMES - 1) // (NUMBER + 1))
        parts = [headings[start : start + at_once] for start in range(0, len(headings), at_once)]
        title = Text(f"gap closed: {rows['model'].iloc[0]} on {rows['dataset'].iloc[0]}", style="bold")
        note = (
            "0: random maps, 1: the best map at hand; a map searched on one metric (dim) that closes little of "
            "another's gap was made for the first; –: nothing is better than random"
        )
        apart = [part for headings in parts for part in (Text(), _table(rows, headings))]
        yield Group(title, *apart[1:], Text(note, style="dim"))


def _table(rows: pd.DataFrame, headings: list[str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("method", no_wrap=True)
    for heading in headings:
        table.add_column(escape(wrapped(heading, NUMBER)), justify="right", no_wrap=True)
    values = rows.set_index(["label", "heading"])[["gap_closed", "low", "high"]]
    methods = rows.drop_duplicates("label").set_index("label")["method"].map(plain)
    for label in sorted(methods.index, key=lambda each: methods[each] in CEILINGS):
        texts = [
            _text(values.loc[(label, heading)]) if (label, heading) in values.index else "" for heading in headings
        ]
        style = "dim" if methods[label] in CEILINGS else ""
        table.add_row(escape(wrapped(str(label), NAMES)), *texts, style=style)
    return table


def _text(share: "pd.Series[float]") -> str:
    return interval(share["gap_closed"], share["low"], share["high"], 2)

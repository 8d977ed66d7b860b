"""Cards as tables for a terminal and a notebook, one line per test where the width allows it."""

from collections.abc import Iterator

import pandas as pd
from rich import box
from rich.table import Column, Table
from rich.text import Text

from heatmark.benchmarks.cards.variants import FAILS, NOT_APPLICABLE, PASSES

LOOKS = {PASSES: ("passes", "green"), FAILS: ("fails", "red"), NOT_APPLICABLE: ("n/a", "dim")}
ARROWS = {True: " ↑", False: " ↓"}


def passed(cards: pd.DataFrame, metric: str) -> bool:
    """Return whether a metric fails no test and passes one at least.

    Args:
        cards: the table of all cards.
        metric: a name in it.
    """
    found = cards.loc[cards["metric"] == metric, "verdict"]
    return bool((found == PASSES).any() and not (found == FAILS).any())


def titles(cards: pd.DataFrame) -> dict[str, str]:
    """Return the heading of each metric's card: name, direction, what it fails."""
    return {str(name): _title(str(name), rows) for name, rows in cards.groupby("metric", sort=False)}


def _title(metric: str, rows: pd.DataFrame) -> str:
    direction = rows["higher_is_better"].iloc[0]
    arrow = "" if direction is None or pd.isna(direction) else ARROWS[bool(direction)]
    failed = list(rows.loc[rows["verdict"] == FAILS, "test"])
    found = f"fails {', '.join(failed)}" if failed else "passes" if passed(rows, metric) else "not applicable"
    return f"{metric}{arrow}: {found}"


def layouts(cards: pd.DataFrame) -> Iterator[Table]:
    """Yield one table per metric."""
    for metric, title in titles(cards).items():
        columns = (Column("test", width=11), Column("", width=6), Column("what was found", overflow="fold"))
        card = Table(
            *columns, title=Text(title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, show_header=False,
            show_edge=False, pad_edge=False, padding=(0, 1, 0, 0),
        )  # fmt: skip
        for _, row in cards[cards["metric"] == metric].iterrows():
            word, style = LOOKS[row["verdict"]]
            card.add_row(str(row["test"]), Text(word, style), Text(str(row["sentence"])))
        yield card

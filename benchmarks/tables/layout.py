"""The layout of a leaderboard on the terminal: a line per method where the width allows it, else two."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from heatmark.benchmarks.statistics.gains import BESIDE, CONTROL
from heatmark.benchmarks.statistics.variants import plain
from heatmark.benchmarks.tables.soundness import MARK
from heatmark.benchmarks.tables.texts import UNKNOWN, cost_text, decimals, interval, shortened, wrapped

WIDEST = 1000
"""Width in letters that no table exceeds."""
SIDE_BY_SIDE = 120
"""Width of a terminal from which metrics may stand side by side."""
WIDE, NARROW = (30, 20), (15, 12)
"""Letters per line of names of methods and layers that stand beside each other, with much room and with little."""
NUMBER = 18
"""Letters of a number with its interval, and so per line of a metric's name."""
LONGEST_ABOVE = 27
"""Letters per line of names that stand above each other."""


@dataclass(frozen=True)
class Block:
    """Leaderboards of the same cells on the same images, one per definition of a metric.

    Args:
        leaderboards: by heading of the metric, one row per cell (:func:`..statistics.leaderboard.standings`), the
            metric that was asked for first at first.
        costs: in forward passes by cell; cells that were not timed are absent.
        images: number of images.
        unsound: why a metric fails its card, by heading; those that do not are absent.
    """

    leaderboards: Mapping[str, pd.DataFrame]
    costs: Mapping[str, float]
    images: int
    unsound: Mapping[str, str] = field(default_factory=dict)

    def only(self, heading: str) -> "Block":
        """Return the block of one metric."""
        return Block({heading: self.leaderboards[heading]}, self.costs, self.images, self.unsound)

    def marked(self, heading: str) -> str:
        """Return a metric's heading in lines, with a mark where it fails its card."""
        return wrapped(f"{heading} {MARK}" if heading in self.unsound else heading, NUMBER)

    @property
    def leading(self) -> str:
        """The heading of the first metric that ranks methods and does not fail its card, else of the first that ranks,
        else of the first."""
        ranking = [
            name
            for name, leaderboard in self.leaderboards.items()
            if not pd.isna(leaderboard["higher_is_better"].iloc[0])
        ]
        return next((name for name in ranking if name not in self.unsound), [*ranking, *self.leaderboards][0])

    @property
    def cells(self) -> pd.DataFrame:
        """One row per cell in the order of the table: by rank, repeats below their original, controls last."""
        every = pd.concat([self.leaderboards[self.leading], *self.leaderboards.values()]).drop_duplicates("cell")
        ranks = every.set_index("label")["rank"]
        every = every.assign(
            original=every["same_as"].where(every["same_as"] != "", every["label"]),
            repeat=every["same_as"] != "",
            control=every["method"].map(plain).isin(BESIDE),
        )
        every["first"] = every["original"].map(ranks[~ranks.index.duplicated()]).fillna(every["rank"])
        return every.sort_values(["control", "first", "original", "repeat", "label"], kind="stable", ignore_index=True)

    @property
    def flagged(self) -> bool:
        """Whether any map is degenerate."""
        return any((leaderboard["flagged"] > 0).any() for leaderboard in self.leaderboards.values())


def fitting(block: Block, width: int) -> list[Table]:
    """Return a block's tables in the first layout that fits a width: metrics side by side, each in a table of its own,
    or each with layer and gain in a second line. No number is ever cut; the last layout may be wider than the width."""
    alone = [block.only(heading) for heading in block.leaderboards]
    layouts = [[_lines(block, WIDE)], [_stacked(block)]] if width >= SIDE_BY_SIDE and len(alone) > 1 else []
    layouts += [[_lines(each, names) for each in alone] for names in (WIDE, NARROW)]
    layouts.append([_stacked(each) for each in alone])
    return next((tables for tables in layouts if max(map(_natural, tables)) <= width), layouts[-1])


def _natural(table: Table) -> int:
    """Return the width that a table needs, which it then keeps wherever it is printed."""
    console = Console(width=WIDEST)
    table.width = Measurement.get(console, console.options, table).maximum
    return table.width


def _lines(block: Block, longest: tuple[int, int]) -> Table:
    """Return a table with one line per method, more where names of methods are longer than a line of them may be."""
    table, cells = _table(), block.cells
    layers = shortened(list(cells["layer"].unique()), longest[1])
    names = [wrapped(name, longest[0]) for name in _names(cells)]
    columns: list[tuple[str, str, Sequence[str]]] = [
        *_rank(block, cells), ("method", "left", names), ("layer", "left", [layers[name] for name in cells["layer"]])
    ]  # fmt: skip
    dim: set[int] = set()
    for heading, leaderboard in block.leaderboards.items():
        means, gained, counts = _numbers(leaderboard, cells)
        first = len(columns)
        columns.append((block.marked(heading), "right", means))
        columns += [("gain over random", "right", gained)] if any(gained) else []
        columns += [("n", "right", counts)] if any(counts) else []
        dim |= set(range(first, len(columns))) if heading in block.unsound else set()
    return _filled(table, [*columns, *_of_cells(block, cells)], cells, dim)


def _stacked(block: Block) -> Table:
    """Return a table with two lines per method: the layer below the method, the gain below the mean."""
    table, cells = _table(), block.cells
    layers = shortened(list(cells["layer"].unique()), LONGEST_ABOVE)
    names = [wrapped(name, LONGEST_ABOVE) for name in _names(cells)]
    above = [_above(name, layers[layer]) for name, layer in zip(names, cells["layer"], strict=True)]
    columns: list[tuple[str, str, Sequence[str]]] = [*_rank(block, cells), ("method\nlayer", "left", above)]
    dim: set[int] = set()
    for heading, leaderboard in block.leaderboards.items():
        means, gained, counts = _numbers(leaderboard, cells)
        first = len(columns)
        below = "\ngain over random" if any(gained) else ""
        scores = [_above(mean, gain) for mean, gain in zip(means, gained, strict=True)]
        columns.append((block.marked(heading) + below, "right", scores))
        columns += [("n", "right", counts)] if any(counts) else []
        dim |= set(range(first, len(columns))) if heading in block.unsound else set()
    return _filled(table, [*columns, *_of_cells(block, cells)], cells, dim)


def _above(first: str, second: str) -> str:
    return f"{first}\n{second}" if second else first


def _table() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)


def _filled(
    table: Table, columns: Sequence[tuple[str, str, Sequence[str]]], cells: pd.DataFrame, dim: Collection[int]
) -> Table:
    """Return a table with these columns; those at the positions ``dim`` are of metrics that fail their cards."""
    for position, (heading, justify, _) in enumerate(columns):
        look = "dim" if position in dim else ""
        table.add_column(
            escape(heading), justify="right" if justify == "right" else "left", no_wrap=True, style=look,
            header_style=look,
        )  # fmt: skip
    faint = cells["repeat"] | cells["control"]
    for position, fainter in enumerate(faint):
        table.add_row(*(escape(values[position]) for _, _, values in columns), style="dim" if fainter else "")
    return table


def _names(cells: pd.DataFrame) -> list[str]:
    return [f"= {name}" if repeat else str(name) for name, repeat in zip(cells["method"], cells["repeat"], strict=True)]


def _rank(block: Block, cells: pd.DataFrame) -> Iterator[tuple[str, str, Sequence[str]]]:
    leaderboard = block.leaderboards[block.leading]
    if not pd.isna(leaderboard["higher_is_better"].iloc[0]):
        ranks = leaderboard.set_index("cell")["rank"].reindex(cells["cell"])
        yield "#", "right", [UNKNOWN if pd.isna(rank) else f"{rank:g}" for rank in ranks]


def _of_cells(block: Block, cells: pd.DataFrame) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield the columns of flags and costs, where there are any."""
    if block.flagged:
        flags = zip(cells["flagged"], cells["mostly_flagged"], strict=True)
        yield "flags", "right", [(f"{count}" + "!" * bool(most)) if count else "" for count, most in flags]
    costs = [block.costs.get(cell, float("nan")) for cell in cells["cell"]]
    if any(pd.notna(costs)):
        yield "cost", "right", [cost_text(cost) for cost in costs]


def _numbers(leaderboard: pd.DataFrame, cells: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Return each cell's mean, its gain and its number of defined images; ``""`` where it has none, or all."""
    rows = leaderboard.set_index("cell").reindex(cells["cell"])
    places = decimals(leaderboard[["mean", "ci_low", "ci_high"]].to_numpy().ravel())
    means = [interval(mean, low, high, places) for mean, low, high in _rows(rows, "mean", "ci_low", "ci_high")]
    gained = [
        interval(gain, low, high, places, True) for gain, low, high in _rows(rows, "gain", "gain_low", "gain_high")
    ]
    own = cells["repeat"] | (cells["method"].map(plain) == CONTROL)  # those of the original, or none
    shown = ["" if hidden or rows["gain"].isna().all() else gain for hidden, gain in zip(own, gained, strict=True)]
    lacks = rows["undefined"].fillna(0) > 0
    counts = ["" if pd.isna(n) else f"{n:.0f}" for n in rows["n"]] if lacks.any() else [""] * len(rows)
    return means, shown, counts


def _rows(leaderboard: pd.DataFrame, *columns: str) -> Iterator[list[float]]:
    yield from leaderboard[[*columns]].to_numpy(dtype=np.float64).tolist()

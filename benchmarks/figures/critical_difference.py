"""Critical-difference diagrams: mean ranks over images, and the methods that do not differ significantly."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmark.benchmarks.figures.style import TWO_COLUMNS, below, fold, grid, looks, span
from heatmark.benchmarks.figures.tables import Tables, named, titles
from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.comparisons import Comparison, arrow, comparisons
from heatmark.benchmarks.statistics.friedman import CriticalDifference, comparable, critical_difference

NAME = "critical_difference"
ROW, BAR = 1.0, 0.55
"""Heights of a name's row and of a bar, in data units of the vertical axis."""
LETTER_INCHES = 0.056
"""Width of a letter."""


def draw(tables: Tables) -> Figure | str:
    """Return one diagram per model and definition; bars join methods that do not differ by Nemenyi's test."""
    parts = diagrams(tables)
    if not parts:
        return "no model has two methods on two images with a score of both"
    tallest = max((len(found.mean_ranks) + 1) // 2 * ROW + len(found.groups) * BAR for _, found in parts)
    names = LETTER_INCHES * max(len(str(name)) + 6 for _, found in parts for name in found.mean_ranks.index)
    abreast = 2 if TWO_COLUMNS / 2 - 2 * names >= 1 else 1
    figure, axes = grid(len(parts), abreast, 0.14 * tallest + 0.75)
    if abreast == 1:
        figure.set_figwidth(TWO_COLUMNS)
    colours = {tables.label(name): look.colour for name, look in looks(tables).items()}
    for ax, (title, found) in zip(axes, parts, strict=True):
        ax.set_title(fold(title, 50 if abreast == 2 else 100), pad=9)
        plot(ax, found, colours)
        reach = (len(found.mean_ranks) - 1) * names / max(TWO_COLUMNS / abreast - 2 * names, 1)
        ax.set(xlim=(1 - reach, len(found.mean_ranks) + reach), ylim=(tallest + 0.6, -2.5))
    counted = span(found.n_blocks for _, found in parts)
    units = " and ".join(sorted({comparison.unit for comparison in comparisons(tables.deepest)}))
    note = f"Mean rank over {counted} {units}, 1 the best. Bars join methods that do not differ significantly "
    note += "(α = 0.05 in each diagram; CD: critical difference of Nemenyi's test; null hypothesis: every order of the "
    note += f"methods is equally likely). {tables.where}{tables.repeats}"
    below(figure, note + _left_out(parts))
    return figure


def _left_out(parts: list[tuple[str, CriticalDifference]]) -> str:
    """Return which methods have no score at all, and in which diagram; ``""`` for none."""
    told = [f"{', '.join(found.left_out)} ({title})" for title, found in parts if found.left_out]
    return f" Left out, as undefined on every image: {'; '.join(told)}." if told else ""


def diagrams(tables: Tables) -> list[tuple[str, CriticalDifference]]:
    """Return the title and the statistics of every diagram: of comparisons of two methods or more on two images."""
    models = titles(tables.deepest)
    return [
        (
            f"{models[tuple(comparison.facts[name] for name in SETTING)]}: {_heading(comparison, tables)}",
            critical_difference(_labelled(comparison, tables)),
        )
        for comparison in comparisons(tables.deepest)
        if comparable(comparison.blocks)
    ]


def _heading(comparison: Comparison, tables: Tables) -> str:
    name = named(comparison.facts["metric"], comparison.facts["definition"], tables.deepest)
    return name + arrow(comparison.higher_is_better)


def _labelled(comparison: Comparison, tables: Tables) -> pd.DataFrame:
    return comparison.blocks.rename(columns=tables.label)


def plot(ax: Axes, found: CriticalDifference, colours: dict[str, str]) -> None:
    """Draw one diagram: the axis of ranks, one bar per group, and the names, the better half on the left.

    Args:
        ax: where to draw.
        found: mean ranks, the critical difference and the groups of methods that do not differ by more.
        colours: of the methods, by name.
    """
    ranks, k = found.mean_ranks, len(found.mean_ranks)
    bars = len(found.groups) * BAR
    ax.axis("off")
    ax.plot([1, k], [0, 0], color="black", linewidth=0.8)
    for tick in _ticks(k):
        ax.plot([tick, tick], [0, -0.3], color="black", linewidth=0.6)
        ax.text(tick, -0.45, f"{tick}", ha="center", va="bottom")
    ax.plot([1, 1 + found.difference], [-1.9, -1.9], color="black", linewidth=1.2, label="CD")
    ax.text(1 + found.difference, -1.9, f" CD {found.difference:.2f}", ha="left", va="center")
    for position, group in enumerate(found.groups):
        ends, height = [ranks[group[0]], ranks[group[-1]]], 0.45 + position * BAR
        ax.plot(ends, [height, height], color="black", linewidth=2.2, solid_capstyle="butt", label="group")
    half = (k + 1) // 2
    for position, (name, rank) in enumerate(ranks.items()):
        better = position < half
        height = bars + 0.2 + ROW * (position + 0.5 if better else k - position - 0.5)
        side = 1 - 0.03 * k if better else k + 0.03 * k
        colour = colours.get(str(name), "black")
        ax.plot([rank, rank, side], [0, height, height], color=colour, linewidth=0.7, zorder=1)
        ax.text(side, height, f" {name} {rank:.1f} ", ha="right" if better else "left", va="center")
    for text in ax.texts:
        text.set_in_layout(False)  # names stand in the margins left free by the limits; they must not narrow the axis


def _ticks(k: int) -> list[int]:
    return list(range(1, k + 1, -(-k // 6)))

"""Definitions of one metric, such as the published protocols of deletion: how each ranks the methods, and agreement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmark.benchmarks.figures.style import ONE_COLUMN, TWO_COLUMNS, below, fold, looks, repeats
from heatmark.benchmarks.figures.tables import Tables, settings
from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.agreement import agreement
from heatmark.benchmarks.statistics.comparisons import arrow
from heatmark.benchmarks.statistics.variants import plain

NAME = "protocols"
LETTER = 0.052
"""Width of a letter, in inches."""
CELL, LINE, STEP, AXIS = 0.28, 0.145, 0.2, 0.45
"""Sizes in inches: of a number with its margin, a method's name, the distance of two definitions' ranks, the axis of
ranks."""


@dataclass(frozen=True, eq=False)
class Part:
    """One model's methods under several definitions of one metric.

    Args:
        title: the model, the metric and its direction.
        ranks: (methods × definitions), 1 the best; the first definition is the one that the others are compared with,
            the others follow by their agreement with it.
        tau, low, high: (definitions × definitions) Kendall's τ-b of the methods' order, and its 95 % interval.
        units: number of images, or groups, that the agreement is over.
    """

    title: str
    ranks: pd.DataFrame
    tau: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame
    units: int


def draw(tables: Tables) -> Figure | str:
    """Return a row per model and metric: each method's rank under each definition, and the definitions' agreement."""
    found = list(parts(tables))
    if not found:
        return "fewer than two methods have ranks under two definitions of one metric; sweep with 'metric=deletion*'"
    names = LETTER * max(len(tables.label(str(method))) for part in found for method in part.ranks.index) + 0.3
    most = max(len(part.tau) for part in found)
    matrix = max(CELL * most, 0.75) + 0.1
    width = ONE_COLUMN if AXIS + STEP * most + names + matrix <= ONE_COLUMN else TWO_COLUMNS
    heights = [_height(part) for part in found]
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    axes = figure.subplots(len(found), 2, squeeze=False, gridspec_kw={
        "width_ratios": [width - matrix, matrix], "height_ratios": heights
    })  # fmt: skip
    for part, (ranks, taus) in zip(found, axes, strict=True):
        plot_ranks(ranks, part, tables)
        beside(ranks, part, tables, names / (width - matrix - AXIS), names)
        plot_agreement(taus, part)
    below(figure, _note(found, tables))
    return figure


def parts(tables: Tables) -> Iterator[Part]:
    """Yield the parts of a run in which two methods or more have ranks under two definitions of a metric or more."""
    ranked = tables.leaderboard
    ranked = ranked[ranked["rank"].notna() & (ranked["same_as"] == "")]
    for title, rows in settings(ranked):
        for family, some in rows.groupby(rows["metric"].map(plain)):
            if min(some["definition"].nunique(), some["method"].nunique()) > 1:
                yield _part(f"{title}: {family}{arrow(some['higher_is_better'].iloc[0])}", some, tables.deepest)


def _part(title: str, ranked: pd.DataFrame, results: pd.DataFrame) -> Part:
    """Return the part of rows of the leaderboard, whose scores are in the results."""
    its = (results[SETTING] == ranked[SETTING].iloc[0]).all(axis="columns")
    pairs = agreement(results[its & results["definition"].isin(ranked["definition"])])
    own = ranked["metric"] == ranked["metric"].map(plain)
    first = ranked.loc[own, "definition"].iloc[0] if own.any() else ranked["definition"].iloc[0]
    tau, low, high = (_square(pairs, name) for name in ("tau", "low", "high"))
    others = tau.reindex(index=[first], columns=sorted(set(ranked["definition"]) - {first})).iloc[0]
    order = [first, *others.sort_values(ascending=False, kind="stable").index]
    ranks = ranked.pivot_table(index="method", columns="definition", values="rank")[order]
    tau, low, high = (square.reindex(index=order, columns=order) for square in (tau, low, high))
    return Part(title, ranks, tau, low, high, int(pairs["n_units"].max()) if len(pairs) else 0)


def _square(pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a number of each pair as a symmetric table, NaN on its diagonal."""
    turned = pairs.rename(columns={"one": "other", "other": "one"})
    return pd.concat([pairs, turned]).pivot_table(index="one", columns="other", values=name, dropna=False)


def _height(part: Part) -> float:
    """Return the height of a part's panels, in inches."""
    methods, definitions = part.ranks.shape
    return max(CELL * definitions, LINE * methods, 0.8) + LETTER * max(map(len, _names(part))) + 0.35


def _names(part: Part) -> list[str]:
    """Return the definitions' names without that of their metric: ``torch-cam-0.5`` of ``deletion:torch-cam-0.5``."""
    texts = [str(definition) for definition in part.ranks.columns]
    return [text.partition(":")[2] or text.partition("[")[2].rstrip("]") or text for text in texts]


def plot_ranks(ax: Axes, part: Part, tables: Tables) -> None:
    """Draw one line per method over the definitions."""
    methods, count = part.ranks.shape
    appearance = looks(tables)
    for method, ranks in part.ranks.iterrows():
        look = appearance[str(method)]
        ax.plot(range(count), ranks, label=method, **look.line, **look.markers)
    ax.set(title=fold(part.title), ylabel="rank", ylim=(methods + 0.5, 0.5))
    ax.set_xticks(range(count), _names(part), rotation=90)
    ax.set_yticks([1, *range(5, methods + 1, 5)] if methods > 10 else range(1, methods + 1))


def beside(ax: Axes, part: Part, tables: Tables, share: float, inches: float) -> None:
    """Write every method's name right of its last rank; the names have places of their own, as ranks may be shared.

    Args:
        ax: with the lines of :func:`plot_ranks`.
        part, tables: what they show.
        share: of the axes' width that the names take.
        inches: the width that they take.
    """
    end, appearance = part.ranks.shape[1] - 0.7, looks(tables)
    right = (end + 0.3 * share) / (1 - share)
    inch = (right - end) / inches
    last = part.ranks.ffill(axis="columns").iloc[:, -1].sort_values(kind="stable")
    for place, (method, rank) in enumerate(last.items(), start=1):
        colour = appearance[str(method)].colour
        ax.plot([end - 0.3 + 0.06 * inch, end + 0.16 * inch], [rank, place], color=colour, linewidth=0.5)
        ax.text(end + 0.19 * inch, place, tables.label(str(method)), va="center", color=colour)
    ax.set_xlim(-0.3, right)
    ax.spines["bottom"].set_bounds(-0.3, end)


def plot_agreement(ax: Axes, part: Part) -> None:
    """Draw a matrix of definitions × definitions: τ below the diagonal, the ends of its interval above."""
    tau, low, high = (square.to_numpy(dtype=np.float64) for square in (part.tau, part.low, part.high))
    count = len(tau)
    ax.imshow(np.where(np.tri(count, k=-1, dtype=bool), tau, np.nan), cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
    style: dict[str, Any] = {"ha": "center", "va": "center"}
    for row, column in combinations(range(count), 2):  # above the diagonal
        value, ends = float(tau[row, column]), (float(low[row, column]), float(high[row, column]))
        ax.text(row, column, _number(value), color="white" if abs(value) > 0.7 else "black", **style)
        ax.text(column, row, "\n".join(map(_number, ends)), color="#404040", linespacing=1.0, **style)
    ax.plot([-0.5, count - 0.5], [-0.5, count - 0.5], color="#808080", linewidth=0.5)
    ax.set_title("Kendall’s τ-b")
    ax.set_xticks(range(count), _names(part), rotation=90)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _number(value: float) -> str:
    """Return a number in [−1, 1] in as few letters as there is room for: ``.83``, ``−.2``, ``1``."""
    return "–" if np.isnan(value) else f"{value:.2f}".replace("0.", ".").replace("1.00", "1").replace("-", "−")


def _note(found: Sequence[Part], tables: Tables) -> str:
    units = sorted({part.units for part in found})
    over = f"{units[0]}" if len(units) == 1 else f"{units[0]} to {units[-1]}"
    return (
        f"Left: rank by mean, 1 the best, over the images on which all methods are defined ({over}); the first "
        "definition is the run's own, the others follow by their agreement with it. Right, rows and columns in that "
        "order: Kendall's τ-b of the methods' means below the diagonal, its 95 % bootstrap interval above. "
        f"{tables.where}{repeats(tables)}"
    ).rstrip()

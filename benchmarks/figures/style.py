"""Style of all figures: print sizes, colours for colour-blind readers too, legends, notes, reproducible files."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heatmark.benchmarks.figures.tables import Tables, family, library_of, settings
from heatmark.benchmarks.statistics.variants import plain

ONE_COLUMN, TWO_COLUMNS = 3.35, 6.9
"""Widths of figures, in inches: one and two columns of print."""

SMALL = 7.0
"""The smallest text, in points at print size."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito, "Color Universal Design" (2008), without its yellow, which is faint on white paper."""

GREY = "#808080"
TIED = "\u00a0"
"""A space at which no line ends."""

MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: dict[str, str | tuple[float, tuple[float, ...]]] = {
    "": "-",
    "pgc": (0, (4, 1.5)),
    "Captum": (0, (5, 1.2, 1.2, 1.2)),
    "Captum layer": (0, (2, 1)),
}
OTHER_MARKERS = ("*", "X", "<", ">", "p", "h")
"""Markers of a method's second, third, … set of options."""
CONTROL_DASHES = (0, (1, 1.2))

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same on every machine
    "font.size": SMALL,
    "axes.titlesize": 8,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "figure.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "pdf.fonttype": 42,  # text stays text
    "savefig.dpi": 300,
}


@contextmanager
def styled() -> Iterator[None]:
    """Return a context in which figures have this style, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PDF and PNG, without dates and versions, so that equal tables give equal bytes."""
    files = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("pdf", "png")]
    figure.savefig(files[0], metadata={"CreationDate": None, "Creator": None, "Producer": None})
    figure.savefig(files[1], metadata={"Software": None})
    return files


@dataclass(frozen=True)
class Look:
    """The colour, marker and line of one method.

    Methods of one family, such as ``grad_cam`` and ``pgc_grad_cam``, share colour and marker; those of reference
    libraries have open markers and dashed lines, controls are grey. A method with several sets of options has a marker
    for each.

    Args:
        colour: of line and marker.
        marker, dashes: as matplotlib takes them.
        filled: whether markers are filled.
    """

    colour: str
    marker: str
    dashes: str | tuple[float, tuple[float, ...]]
    filled: bool

    @property
    def markers(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot`` for the markers."""
        face = self.colour if self.filled else "white"
        return {"marker": self.marker, "markerfacecolor": face, "markeredgecolor": self.colour, "markeredgewidth": 0.9}

    @property
    def line(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot`` for the line."""
        return {"color": self.colour, "linestyle": self.dashes}


def looks(tables: Tables) -> dict[str, Look]:
    """Return every method's look by its name, the same in all figures of a run."""
    methods = sorted(set(tables.results["method"]) - {""})
    families = sorted({family(name) for name in methods if plain(name) not in tables.controls})
    found: dict[str, Look] = {}
    for name in methods:
        look, before = _look(plain(name), families, list(tables.controls)), sum(plain(n) == plain(name) for n in found)
        found[name] = replace(look, marker=OTHER_MARKERS[(before - 1) % len(OTHER_MARKERS)]) if before else look
    return found


def _look(method: str, families: Sequence[str], controls: Sequence[str]) -> Look:
    if method in controls:
        return Look(GREY, ("x", "+", "1")[controls.index(method) % 3], CONTROL_DASHES, True)
    position, library = families.index(family(method)), library_of(method)
    colour = OKABE_ITO[position % len(OKABE_ITO)]
    # shifted by one each time the colours begin again, so that no two families share both colour and marker
    marker = MARKERS[(position + position // len(OKABE_ITO)) % len(MARKERS)]
    return Look(colour, marker, DASHES[library], not library)


def grid(count: int, per_row: int, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes; it is one column of print wide with one panel per row, otherwise two.

    Args:
        count: number of axes.
        per_row: largest number of axes per row.
        height: height of a row, in inches.
    """
    columns = min(count, per_row)
    rows = ceil(count / columns)
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure = Figure(figsize=(width, rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def below(figure: Figure, text: str, methods: Iterable[str] = (), tables: Tables | None = None) -> None:
    """Add a note below the panels, and a legend between them, and increase the figure's height accordingly.

    Args:
        figure: changed in place.
        text: the note.
        methods: names of the methods in the legend; none for no legend.
        tables: the run's tables, for labels and looks; None for no legend.
    """
    inches = _note(figure, text)
    panels = figure.get_figheight()
    handles = [] if tables is None else _handles(methods, tables)
    columns = _columns(figure, handles)
    keys = 0.15 * ceil(len(handles) / columns) + 0.08 if handles else 0.0
    total = panels + inches + keys
    figure.set_figheight(total)
    figure.texts[-1].set_position((0.01, 0.03 / total))
    if handles:
        figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, inches / total), ncols=columns,
                      handlelength=2.6, columnspacing=1.2, borderaxespad=0, borderpad=0.2)  # fmt: skip
    share = (inches + keys) / total
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr, call-arg]


def _note(figure: Figure, text: str) -> float:
    """Write the note, which :func:`below` then moves to its place; return its height in inches."""
    lines = textwrap.wrap(text, int(figure.get_figwidth() * 17.5), break_on_hyphens=False)
    note = figure.text(
        0, 0, "\n".join(lines), ha="left", va="bottom", fontsize=SMALL, color="#404040", linespacing=1.25
    )
    note.set_in_layout(False)
    return 0.135 * len(lines) + 0.06


def _handles(methods: Iterable[str], tables: Tables) -> list[Line2D]:
    ordered, appearance = sorted(methods, key=lambda n: (plain(n) in tables.controls, family(n), n)), looks(tables)
    return [
        Line2D([], [], label=tables.label(name), **appearance[name].line, **appearance[name].markers)
        for name in ordered
    ]


def _columns(figure: Figure, handles: Sequence[Line2D]) -> int:
    """Return the number of columns of the legend."""
    widest = max((len(str(handle.get_label())) for handle in handles), default=1)
    return min(max(1, int(figure.get_figwidth() / (0.058 * widest + 0.42))), max(1, len(handles)))


def repeats(tables: Tables) -> str:
    """Return a sentence on the methods that are not drawn as they have another method's maps; ``""`` for none."""
    said: dict[str, list[str]] = {}
    for title, rows in settings(tables.leaderboard):
        again = rows[rows["same_as"] != ""]
        for original, methods in again.groupby("same_as")["method"]:
            words = " = ".join([tables.label(str(original)), *map(tables.label, sorted(methods.unique()))])
            said.setdefault(words, []).append(title)
    told = "; ".join(f"{words} on {' and '.join(models)}" for words, models in said.items())
    if told:
        return f"Methods with the same maps, drawn once: {told}."
    return "" if tables.leaderboard["maps_compared"].any() else tables.repeats


def fold(title: str, letters: int = 50) -> str:
    """Return a panel's title in lines of at most so many letters."""
    whole = re.sub(" (?=[↑↓]$)", TIED, title)  # an arrow stays with its metric
    return "\n".join(textwrap.wrap(whole, letters, break_on_hyphens=False)).replace(TIED, " ")


def span(numbers: Iterable[int]) -> str:
    """Return the smallest and the largest of some numbers, such as ``12 to 50``, or ``12`` where they are equal."""
    least, *_, most = sorted([*numbers] * 2)
    return f"{least}" if least == most else f"{least} to {most}"

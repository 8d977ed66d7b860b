"""The panel of one picture's explanation: a figure with classes as rows and methods as columns."""

import logging
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from heatmark.benchmarks.explain.explanation import Column, Explanation, Target
from heatmark.benchmarks.explain.overlay import Array, Colours, Limits, Look, paint, tamed
from heatmark.common.names import did_you_mean

PAGE_IN = 7.0
"""Width of two columns of print, in inches."""
LARGEST_IN, SMALLEST_IN = 1.7, 0.72
"""Longer side of a picture, in inches."""
RAW = 0.45
"""Width of a raw map, as a share of the picture's."""
GAP_IN, MARGIN_IN = 0.06, 0.05
HEADER_IN, TITLE_IN, FOOT_IN = 0.16, 0.19, 0.13
DPI = 300
LINE_IN = 0.125
"""Height of a line of the caption, in inches."""
TEXT_PT, SMALL_PT = 7.5, 6.0
SMALL_LETTER_IN = 0.055
"""Width of a wide letter at ``SMALL_PT``, in inches."""
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "pdf.fonttype": 42,
    "axes.linewidth": 0.4,
    "image.interpolation": "nearest",
}
ROLES = {"predicted": "predicted", "second": "second best", "true": "true class"}


@dataclass(frozen=True)
class _Layout:
    """The panel's sizes in inches, and the number of columns side by side; further columns go below."""

    width: float
    height: float
    abreast: int
    line_width: float

    @property
    def step(self) -> float:
        """Distance from one column to the next."""
        return self.width * (1 + RAW) + 2 * GAP_IN + 0.05

    @property
    def row(self) -> float:
        """Height of one class."""
        return TITLE_IN + self.height + FOOT_IN


def colormap(name: str) -> Colours:
    """Return a colormap of matplotlib.

    Raises:
        ValueError: where there is none of this name; it names the nearest ones.
    """
    if name not in matplotlib.colormaps:
        hint = did_you_mean(name, list(matplotlib.colormaps), "expected one of matplotlib's, such as jet or viridis")
        raise ValueError(f"unknown cmap {name!r}: {hint}")
    colours: Colours = matplotlib.colormaps[name]
    return colours


def draw(explanation: Explanation, look: Look) -> Figure:
    """Return the panel, one row per class: the picture, then for every method the overlay and its raw map."""
    with matplotlib.rc_context(STYLE):
        layout = _layout(explanation)
        blocks = list(_blocks(explanation.columns, layout.abreast))
        lines = _wrap(caption(explanation, look), layout.line_width)
        rows = len(explanation.targets)
        headers = [_header_lines(block, explanation) * HEADER_IN for block in blocks]
        height = sum(headers) + len(blocks) * rows * layout.row + len(lines) * LINE_IN + 2 * MARGIN_IN
        canvas = _Canvas(Figure((layout.line_width, height), dpi=DPI))
        top = MARGIN_IN
        for block, header in zip(blocks, headers, strict=True):
            _headers(canvas, layout, block, top, explanation)
            for index in range(rows):
                _row(canvas, layout, top + header + index * layout.row, (explanation, look, block, index))
            top += header + rows * layout.row
        for number, line in enumerate(lines):
            canvas.text(MARGIN_IN, top + (number + 0.7) * LINE_IN, line, size=SMALL_PT, va="center")
        return canvas.figure


def write(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and PDF, the same bytes every time, and return the files."""
    files = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "pdf")]
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it logs every glyph
    with matplotlib.rc_context(STYLE):
        figure.savefig(files[0], dpi=DPI, metadata={"Software": None})
        figure.savefig(files[1], dpi=DPI, metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return files


def caption(explanation: Explanation, look: Look) -> str:
    """Return the panel's caption: model, methods, layers with the maps' sizes, colours and their scale."""
    grids = dict.fromkeys(f"{c.layer} ({c.raw.shape[1]}×{c.raw.shape[2]})" for c in explanation.columns)
    methods = dict.fromkeys(column.method for column in explanation.columns)
    ranges = {
        ("overlay", "separate"): "from its own least to its own greatest value",
        ("overlay", "shared"): "from the least to the greatest value over the classes of its column",
        ("outline", "separate"): "symmetric about 0, up to its own greatest absolute value",
        ("outline", "shared"): "symmetric about 0, up to the greatest absolute value over the classes of its column",
    }[look.style, look.scale]
    pixelwise = any(_of_pixels(column, explanation) for column in explanation.columns)
    tame = " Maps of single pixels: up to the 99th percentile of their absolute values." if pixelwise else ""
    return (
        f"{explanation.model} ({explanation.weights}); {', '.join(methods)} at {', '.join(grids)}. "
        f"{look.scale.capitalize()} colour scale: {look.colormap}, each map {ranges}.{tame} "
        f"Under an overlay: the raw map's least and greatest value; beside it, the raw map as it is."
    )


class _Canvas:
    """A figure addressed in inches from its top left corner."""

    def __init__(self, figure: Figure) -> None:
        FigureCanvasAgg(figure)
        self.figure = figure
        self.width, self.height = (float(side) for side in figure.get_size_inches())

    def image(self, pixels: Array, left: float, top: float, width: float, height: float) -> Axes:
        """Show pixels in a frame of this place and size."""
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(place)
        axes.imshow(np.clip(pixels, 0, 1), aspect="auto")
        axes.set(xticks=[], yticks=[])
        return axes

    def text(self, left: float, top: float, words: str, size: float = TEXT_PT, **style: Any) -> Any:
        """Write words at a place, and return them."""
        style = {"ha": "left", "va": "bottom", "parse_math": False, **style}
        return self.figure.text(left / self.width, 1 - top / self.height, words, size=size, **style)


def _layout(explanation: Explanation) -> _Layout:
    """Return a layout with as many columns abreast as leave the pictures large enough; these then fill the page."""
    rows, columns = explanation.pixels.shape[:2]
    shape = (columns / max(rows, columns), rows / max(rows, columns))

    def layout(side: float, abreast: int) -> _Layout:
        found = _Layout(side * shape[0], side * shape[1], abreast, 0.0)
        return _Layout(found.width, found.height, abreast, _width(found))

    smallest = layout(SMALLEST_IN, 1)
    room = int((PAGE_IN - 2 * MARGIN_IN - smallest.width) / smallest.step)
    count = len(explanation.columns)
    blocks = -(-count // max(1, room))
    abreast = -(-count // blocks)
    sides = np.arange(LARGEST_IN, SMALLEST_IN, -0.01)
    side = next((s for s in sides if _width(layout(float(s), abreast)) <= PAGE_IN), SMALLEST_IN)
    return layout(float(side), abreast)


def _width(layout: _Layout) -> float:
    return max(3.3, 2 * MARGIN_IN + layout.width + 0.04 + layout.abreast * layout.step)


def _blocks(columns: Sequence[Column], abreast: int) -> Iterator[Sequence[Column]]:
    return (columns[first : first + abreast] for first in range(0, len(columns), abreast))


def _header_lines(block: Sequence[Column], explanation: Explanation) -> int:
    return 2 if len({c.layer for c in explanation.columns}) > 1 and block else 1


def _headers(canvas: _Canvas, layout: _Layout, block: Sequence[Column], top: float, explanation: Explanation) -> None:
    lines = _header_lines(block, explanation)
    for number, column in enumerate(block):
        left = _left(layout, number)
        name, size = _fitted(column.method, layout.step - GAP_IN)
        canvas.text(left, top + HEADER_IN, name, size=size, weight="bold")
        if lines == 2:
            canvas.text(left, top + 2 * HEADER_IN - 0.04, _shorten(column.layer, layout.step), size=SMALL_PT)


def _left(layout: _Layout, number: int) -> float:
    return MARGIN_IN + layout.width + GAP_IN + 0.04 + number * layout.step


def _row(canvas: _Canvas, layout: _Layout, top: float, what: tuple[Explanation, Look, Sequence[Column], int]) -> None:
    """Draw one class: its name, the picture, and every method's maps."""
    explanation, look, block, index = what
    _title(canvas, top + TITLE_IN - 0.045, explanation.targets[index], layout.line_width)
    top += TITLE_IN
    canvas.image(explanation.pixels, MARGIN_IN, top, layout.width, layout.height)
    colours = colormap(look.colormap)
    for number, column in enumerate(block):
        maps = [tamed(raw) if _of_pixels(column, explanation) else raw for raw in column.raw]
        limits, left = look.limits(maps)[index], _left(layout, number)
        shown = look.over(explanation.pixels, column.relevance[index], limits, colours)
        canvas.image(shown, left, top, layout.width, layout.height)
        _raw(canvas, layout, (left + layout.width + GAP_IN / 2, top), (column.raw[index], limits, colours))
        words = _range(column.raw[index])
        middle, size = left + layout.width / 2, _size(words, layout.width)
        canvas.text(middle, top + layout.height + 0.02, words, size=size, ha="center", va="top")


def _of_pixels(column: Column, explanation: Explanation) -> bool:
    """Return whether a map has a value of its own for every pixel, as gradients of the input have."""
    return column.raw.shape[1:] == explanation.pixels.shape[:2]


def _raw(canvas: _Canvas, layout: _Layout, place: tuple[float, float], what: tuple[Array, Limits, Colours]) -> None:
    width, height = layout.width * RAW, layout.height * RAW
    top = place[1] + layout.height - height
    canvas.image(paint(*what), place[0], top, width, height)
    rows, columns = what[0].shape
    words = f"{rows}×{columns}"
    size = _size(words, width)
    canvas.text(place[0] + width / 2, top + height + 0.02, words, size=size, ha="center", va="top")


def _title(canvas: _Canvas, baseline: float, target: Target, width: float) -> None:
    percent = 100 * target.prediction.probability
    probability = f"{percent:.1f} %" if percent >= 0.1 else "below 0.1 %"
    roles = ", ".join(ROLES[role] for role in target.role.split(", ") if role)
    rest = f"{probability}, {roles}" if roles else probability
    name = _shorten(target.prediction.name, width - 0.065 * len(rest))
    words = canvas.text(MARGIN_IN, baseline, name, weight="bold", va="baseline")
    end = words.get_window_extent().x1 / DPI
    canvas.text(end + 0.08, baseline, rest, va="baseline")


def _range(raw: Array) -> str:
    finite = raw[np.isfinite(raw)]
    if not finite.size:
        return "not a number"
    low, high = float(finite.min()), float(finite.max())
    return f"{low:.3g}, constant" if low == high else f"{low:.3g} to {high:.3g}"


def _size(words: str, width: float) -> float:
    """Return the size of small letters, or a smaller one at which words fit a width in inches."""
    return min(SMALL_PT, SMALL_PT * width / (SMALL_LETTER_IN * len(words)))


def _fitted(words: str, width: float) -> tuple[str, float]:
    """Return words, and a size at which they fit a width in inches; too long ones are cut at the smallest size."""
    size = max(SMALL_PT, min(TEXT_PT, TEXT_PT * width / 0.068 / len(words)))
    return _shorten(words, width * TEXT_PT / size), size


def _shorten(words: str, width: float) -> str:
    """Cut words to a width in inches, at the mean width of a bold letter."""
    room = int(width / 0.068)
    return words if len(words) <= room else words[: room - 1] + "…"


def _wrap(words: str, width: float) -> list[str]:
    """Break words into lines of a width in inches, at the mean width of a small letter."""
    return textwrap.wrap(words, int((width - 2 * MARGIN_IN) / 0.0475))

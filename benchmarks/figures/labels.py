"""Placement of names beside points so that they do not overlap."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

REACHES = (5.0, 9.0, 14.0, 20.0, 27.0, 36.0, 46.0, 58.0)
"""Distances of a name from its point that are tried, in points of print."""

ANGLES = np.deg2rad([0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90])
"""Directions from its point that are tried at each distance."""


def place(
    figure: Figure,
    ax: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    others: Sequence[tuple[float, float]] = (),
) -> list[Annotation]:
    """Write every name beside its point, at the nearest place where it covers no marker and no other name.

    A thin line connects a name to its point where they are apart, or where another point is nearer to the name. A
    name hides the lines behind it. The axes' limits must not change afterwards.

    Args:
        figure, ax: where to write.
        points: in data coordinates.
        names: one per point.
        others: points without a name, which no name may cover.
    """
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    size = figure.dpi / 72
    dots = ax.transData.transform(np.asarray([*points, *others], dtype=float))
    taken = [Bbox.from_extents(x - 3 * size, y - 3 * size, x + 3 * size, y + 3 * size) for x, y in dots]
    placed: list[Annotation] = []
    for index in np.lexsort((dots[: len(points), 0], -dots[: len(points), 1])):
        note = ax.annotate(names[index], points[index], xytext=(0, 0), textcoords="offset points", fontsize=7)
        note.set_in_layout(False)
        box = note.get_window_extent(renderer)
        offset, spot = _free(dots[index], box.width, box.height, taken, ax.bbox, size)
        taken.append(spot)
        note.set_position((offset[0], offset[1]))
        note.set(ha="left", va="bottom", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.3})
        placed.append(note)
        near = np.clip(dots, [spot.x0, spot.y0], [spot.x1, spot.y1])
        far = np.hypot(*(near - dots).T)
        if far[index] > min(6 * size, far.min() + 1e-6):
            ends = ax.transData.inverted().transform([dots[index], near[index]])
            ax.plot(ends[:, 0], ends[:, 1], color="#808080", linewidth=0.5, zorder=1, label="_leader")
    return placed


def _free(
    dot: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    width: float,
    height: float,
    taken: list[Bbox],
    inside: Bbox,
    size: float,
) -> tuple[tuple[float, float], Bbox]:
    """Return the first place that overlaps nothing, or else the one that overlaps least.

    Returns:
        Its offset from the point in points of print, and its box in pixels.
    """
    tried: list[tuple[float, tuple[float, float], Bbox]] = []
    for reach in REACHES:
        for angle in ANGLES:
            x = dot[0] + size * reach * np.cos(angle) - width * (1 - np.cos(angle)) / 2
            y = dot[1] + size * reach * np.sin(angle) - height * (1 - np.sin(angle)) / 2
            spot = Bbox.from_extents(x, y, x + width, y + height)
            crowd = sum(_overlap(spot, other) for other in taken) + _outside(spot, inside)
            offset = ((x - dot[0]) / size, (y - dot[1]) / size)
            if crowd == 0:
                return offset, spot
            tried.append((crowd, offset, spot))
    _, offset, spot = min(tried, key=lambda attempt: attempt[0])
    return offset, spot


def _overlap(a: Bbox, b: Bbox) -> float:
    shared = Bbox.intersection(a, b)
    return 0.0 if shared is None else float(shared.width * shared.height)


def _outside(box: Bbox, inside: Bbox) -> float:
    return (
        float(box.width * box.height) - _overlap(box, inside)
        if _overlap(box, inside) < box.width * box.height * 0.999
        else 0.0
    )

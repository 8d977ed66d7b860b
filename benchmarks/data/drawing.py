"""Drawing of the shapes: outlines, backgrounds and clutter; lengths are fractions of the picture's side."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.floating[Any]]

SUPERSAMPLING = 4
"""Sample points per pixel along each side; all 16 of a pixel measure how much of it is covered."""

CONTRAST = 0.5
"""Distance of a background's two colours, as a fraction of the distance of two random colours."""


def _arc(start: float, stop: float, radius: float = 1.0, centre: float = 0.0, points: int = 48) -> Array:
    """Return points on a circle about (centre, 0), angles in turns, (points, 2)."""
    angles = 2 * np.pi * np.linspace(start, stop, points, dtype=np.float32)
    return np.stack([centre + radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _spikes(radii: Sequence[float]) -> Array:
    """Return a polygon with corners at these radii and equal angles, (len(radii), 2)."""
    corners: Array = _arc(0, 1, points=len(radii) + 1)[:-1]
    return corners * np.array(radii, dtype=np.float32)[:, None]


def _heart() -> Array:
    t = np.linspace(0, 2 * np.pi, 64, dtype=np.float32)
    x, y = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y - 2], axis=1)


def _crescent() -> Array:
    """Return the outline of a disc minus a disc of 0.8 its radius, moved by 0.5; they meet where cos(angle) = 0.61."""
    moved, radius = 0.5, 0.8
    outer = np.arccos((1 + moved**2 - radius**2) / (2 * moved)) / (2 * np.pi)
    inner = np.arccos((1 - moved**2 - radius**2) / (2 * moved * radius)) / (2 * np.pi)
    return np.concatenate([_arc(outer, 1 - outer), _arc(1 - inner, inner, radius, moved)])


def _unit(outline: Sequence[tuple[float, float]] | Array) -> Array:
    """Return the outline scaled so that its farthest point has radius 1."""
    points = np.asarray(outline, dtype=np.float32)
    scaled: Array = points / np.linalg.norm(points, axis=1).max()
    return scaled


_QUARTER_OF_A_CROSS = [(3, 1), (1, 1), (1, 3), (-1, 3), (-1, 1), (-3, 1)]
_HALF_OF_AN_ARROW = [(3, 0), (0, 2.4), (0, 1), (-3, 1)]

OUTLINES: dict[str, Array] = {
    "circle": _arc(0, 1),
    "square": _spikes([1, 1, 1, 1]),
    "triangle": _spikes([1, 1, 1]),
    "star": _spikes([1, 0.42] * 5),
    "cross": _unit(_QUARTER_OF_A_CROSS + [(-x, -y) for x, y in _QUARTER_OF_A_CROSS]),
    "ring": np.concatenate([_arc(0, 1), _arc(1, 0, 0.58)]),
    "crescent": _crescent(),
    "heart": _unit(_heart()),
    "arrow": _unit(_HALF_OF_AN_ARROW + [(x, -y) for x, y in _HALF_OF_AN_ARROW[:0:-1]]),
    "hourglass": _unit([(1, 1.2), (0.16, 0), (1, -1.2), (-1, -1.2), (-0.16, 0), (-1, 1.2)]),
}
"""Closed outline of every class, points (K, 2) in the unit disc."""


def coverage(outline: Array, size: int) -> Array:
    """Return how much of each pixel a closed outline covers, (size, size) in [0, 1]."""
    canvas = Image.new("L", (size * SUPERSAMPLING,) * 2)
    ImageDraw.Draw(canvas).polygon(_corners(outline, size), fill=255)
    return np.asarray(canvas.reduce(SUPERSAMPLING), dtype=np.float32) / 255


def place(outline: Array, centre: Array, radius: float, turns: float) -> Array:
    """Return a unit outline turned, scaled and moved."""
    c, s = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    placed: Array = centre + radius * outline @ np.array([[c, s], [-s, c]], dtype=np.float32)
    return placed


def background(rng: Generator, size: int) -> tuple[Array, Array]:
    """Return a textured background (size, size, 3) in [0, 1], and the two colours (2, 3) that it mixes."""
    colours = rng.random((2, 3), dtype=np.float32)
    colours[1] = colours[0] + CONTRAST * (colours[1] - colours[0])
    texture = TEXTURES[rng.integers(len(TEXTURES))](rng, size)
    mix = 0.7 * texture + 0.3 * clouds(rng, size)
    return colours[0] + mix[:, :, None] * (colours[1] - colours[0]), colours


def clouds(rng: Generator, size: int) -> Array:
    """Return smooth noise of a random scale, (size, size) in [0, 1]."""
    cells = int(rng.integers(3, 20))
    coarse = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    fine = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
    return np.clip(fine, 0, 1)


def stripes(rng: Generator, size: int) -> Array:
    """Return waves of random direction and length, (size, size) in [0, 1]."""
    return 0.5 + 0.5 * np.sin(_wave(rng, size))


def weave(rng: Generator, size: int) -> Array:
    """Return the product of two waves: a soft chequered pattern, (size, size) in [0, 1]."""
    return 0.5 + 0.5 * np.sin(_wave(rng, size)) * np.sin(_wave(rng, size))


def slope(rng: Generator, size: int) -> Array:
    """Return a straight gradient from 0 to 1 in a random direction, (size, size)."""
    x, y = _axes(size)
    turn = 2 * np.pi * rng.random()
    return np.clip(0.5 + np.float32(np.cos(turn)) * (x - 0.5) + np.float32(np.sin(turn)) * (y - 0.5), 0, 1)


TEXTURES: tuple[Callable[[Generator, int], Array], ...] = (clouds, stripes, weave, slope)


def clutter(rng: Generator, size: int) -> tuple[Array, Array]:
    """Return 4 to 10 small pebbles and scribbles: colours × opacity (size, size, 3) and opacity (size, size, 1)."""
    canvas = Image.new("RGBa", (size * SUPERSAMPLING,) * 2)  # premultiplied, so that averaging points is right
    draw = ImageDraw.Draw(canvas)
    for _ in range(rng.integers(4, 11)):
        colour = (*rng.integers(256, size=3).tolist(), 255)
        centre, radius = rng.random(2, dtype=np.float32), rng.uniform(0.03, 0.075)
        if rng.random() < 0.5:
            draw.polygon(_corners(centre + radius * _pebble(rng), size), fill=colour)
        else:
            width = max(1, round(size * SUPERSAMPLING * rng.uniform(0.006, 0.016)))
            draw.line(_corners(centre + radius * _scribble(rng), size), fill=colour, width=width, joint="curve")
    pixels = np.asarray(canvas.reduce(SUPERSAMPLING), dtype=np.float32) / 255
    return pixels[:, :, :3], pixels[:, :, 3:]


def _pebble(rng: Generator) -> Array:
    """Return a rounded outline of random, uneven radii, (24, 2)."""
    circle = _arc(0, 1, points=25)[:-1]
    pull = rng.uniform(-0.8, 0.8, size=(2, 2)).astype(np.float32)
    radii: Array = 0.6 + 0.4 * (circle @ pull[0]) ** 2 + 0.3 * (circle @ pull[1]) ** 3
    return circle * radii[:, None]


def _scribble(rng: Generator) -> Array:
    """Return two to four points of a broken line, (K, 2)."""
    return rng.uniform(-1.6, 1.6, size=(int(rng.integers(2, 5)), 2)).astype(np.float32)


def _wave(rng: Generator, size: int) -> Array:
    """Return the phase of a plane wave of 3 to 14 periods per side, (size, size) in radians."""
    x, y = _axes(size)
    turn, periods, phase = rng.random(3) * np.array([2 * np.pi, 11, 2 * np.pi])
    along = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
    return np.float32(2 * np.pi * (3 + periods)) * along + np.float32(phase)


def _axes(size: int) -> tuple[Array, Array]:
    """Return the pixels' centres, x (1, size) and y (size, 1), in (0, 1)."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    return axis[None, :], axis[:, None]


def _corners(points: Array, size: int) -> list[float]:
    """Return points in the picture as PIL wants them on the finer grid: x, y, x, y, …"""
    flat: list[float] = (points * (size * SUPERSAMPLING) - 0.5).ravel().tolist()
    return flat

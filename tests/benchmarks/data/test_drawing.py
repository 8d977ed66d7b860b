"""Outlines and coverage against areas known in closed form."""

import numpy as np
import pytest
from numpy.random import default_rng

from heatmark.benchmarks.data.drawing import OUTLINES, TEXTURES, background, clutter, coverage, place

CENTRE = np.float32([0.5, 0.5])


def lens(radius: float, distance: float) -> float:
    """Area that the unit disc shares with a disc of this radius at this distance."""
    a = np.arccos((distance**2 + 1 - radius**2) / (2 * distance))
    b = np.arccos((distance**2 + radius**2 - 1) / (2 * distance * radius))
    kite = np.sqrt(
        (-distance + radius + 1) * (distance + radius - 1) * (distance - radius + 1) * (distance + radius + 1)
    )
    return float(a + radius**2 * b - kite / 2)


AREAS = {
    "circle": np.pi,
    "square": 2.0,
    "triangle": 3 * np.sqrt(3) / 4,
    "star": 5 * 0.42 * np.sin(np.pi / 5),
    "cross": 20 / 10,  # five squares of side 2, farthest corner at sqrt(10)
    "ring": np.pi * (1 - 0.58**2),
    "crescent": np.pi - lens(0.8, 0.5),
}


@pytest.mark.parametrize("name", AREAS)
def test_coverage_sums_to_the_area(name: str) -> None:
    radius = 0.3
    covered = coverage(place(OUTLINES[name], CENTRE, radius, 0.0), 256)
    assert covered.mean() == pytest.approx(AREAS[name] * radius**2, rel=0.025)


@pytest.mark.parametrize("name", OUTLINES)
def test_turning_keeps_the_area_and_fits_the_disc(name: str) -> None:
    outline = OUTLINES[name]
    assert np.linalg.norm(outline, axis=1).max() == pytest.approx(1, abs=1e-5)
    areas = [coverage(place(outline, CENTRE, 0.3, turns), 256).mean() for turns in (0.0, 0.07, 0.21)]
    assert areas == pytest.approx([areas[0]] * 3, rel=0.02)


def test_a_ring_has_a_hole_and_a_disc_has_none() -> None:
    ring, disc = (coverage(place(OUTLINES[name], CENTRE, 0.3, 0.1), 128) for name in ("ring", "circle"))
    assert ring[64, 64] == 0
    assert disc[64, 64] == 1


def test_a_quarter_turn_goes_from_x_to_y() -> None:
    np.testing.assert_allclose(place(np.float32([[1, 0]]), CENTRE, 0.2, 0.25), [[0.5, 0.7]], atol=1e-6)


def test_outlines_are_no_turned_copies_of_each_other() -> None:
    """The best overlap over 36 turns of any two classes, drawn with one area, stays below 0.93."""
    names = list(OUTLINES)
    size, turns = 64, np.arange(36) / 36

    def drawn(name: str, turn: float) -> np.ndarray:
        area = coverage(place(OUTLINES[name], CENTRE, 0.3, 0.0), size).mean()
        return coverage(place(OUTLINES[name], CENTRE, 0.3 * float(np.sqrt(0.1 / area)), turn), size) > 0.5

    still = {name: drawn(name, 0.0) for name in names}
    turned = {name: [drawn(name, float(turn)) for turn in turns] for name in names}
    for a in names:
        for b in names:
            if a < b:
                assert max((still[a] & t).sum() / (still[a] | t).sum() for t in turned[b]) < 0.93, (a, b)


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize("size", [16, 75, 128])
def test_textures_lie_in_the_unit_range_and_vary(texture, size: int) -> None:
    field = texture(default_rng(0), size)
    assert field.shape == (size, size)
    assert 0 <= field.min() < field.max() <= 1
    assert field.std() > 0.05


def test_a_background_mixes_its_two_colours() -> None:
    pixels, colours = background(default_rng(3), 64)
    low, high = colours.min(axis=0), colours.max(axis=0)
    assert (pixels >= low - 1e-5).all()
    assert (pixels <= high + 1e-5).all()


def test_clutter_is_premultiplied_and_small() -> None:
    colours, opacity = clutter(default_rng(5), 128)
    assert (colours <= opacity + 1e-6).all()
    assert 0.002 < opacity.mean() < 0.15

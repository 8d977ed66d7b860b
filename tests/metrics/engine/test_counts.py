"""Tests of how steps become counts of units."""

import numpy as np
import pytest

from heatmark.metrics.engine.counts import checked_steps, find_counting
from heatmark.metrics.engine.pixel_path import PixelPath


@pytest.mark.parametrize(
    ("counting", "units", "steps", "expected"),
    [
        ("nearest", 10, 4, [0, 2, 5, 8, 10]),
        ("nearest", 7, (0.0, 0.4, 1.0), [0, 3, 7]),
        ("floor", 11, 4, [0, 2, 5, 8, 11]),
        ("floor", 7, (0.1, 0.4, 0.9), [0, 2, 6]),
        ("chunks", 10, 4, [0, 3, 6, 9, 10]),
        ("chunks", 9, 4, [0, 3, 6, 9]),  # three intervals are enough
        ("rest", 23, 4, [0, 4, 8, 12, 23]),
        ("multiples", 11, 4, [4, 8]),
        ("multiples", 8, 4, [4]),
        ("every", 11, 4, [4, 8, 11]),
        ("every", 8, 4, [4, 8]),
        ("single", 8, 3, [0, 1, 2, 3]),
        ("single", 2, 3, [0, 1, 2]),
        ("log", 100, 3, [0, 1, 10, 100]),
        ("log", 100, 15, [0, 1, 2, 3, 5, 7, 10, 13, 19, 26, 37, 51, 71, 100]),  # 1 twice
        ("log", 300, 5, [0, 3, 9, 30, 93, 300]),
    ],
)
def test_counts_by_hand(counting: str, units: int, steps: int | tuple[float, ...], expected: list[int]) -> None:
    assert find_counting(counting)(units, steps) == expected


@pytest.mark.parametrize(
    ("steps", "counting", "message"),
    [
        ([0.5], "nearest", "at least two fractions"),
        ([0.5, 0.2], "nearest", "ascending"),
        ([0.2, 0.2], "floor", "ascending"),
        ([0.0, 1.1], "nearest", "from 0 to 1"),
        ([0.0, float("nan")], "nearest", "from 0 to 1"),
        ([0.1, 0.2], "chunks", "counting='chunks' takes a number of steps, not the fractions"),
        ([0.1, 0.2], "log", "counting='log' takes a number of steps"),
        (True, "nearest", "steps=True, expected a whole number"),
        (3, "chunk", "unknown counting 'chunk': did you mean chunks"),
    ],
)
def test_wrong_steps_name_what_is_right(steps: object, counting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_steps(steps, counting)


def test_log_is_the_expression_of_its_source() -> None:
    for steps in range(2, 40):
        assert find_counting("log")(100, steps) == [0, *np.unique(np.geomspace(1, 100, steps, dtype=int))]
    with pytest.raises(ValueError, match="steps=1, expected at least 2, log-spaced"):
        find_counting("log")(100, 1)


def test_fractions_of_a_list_are_those_of_a_tuple() -> None:
    assert PixelPath(steps=[0.0, 0.5]) == PixelPath(steps=(0.0, 0.5))
    assert hash(PixelPath(steps=[0.0, 0.5])) == hash(PixelPath(steps=(0.0, 0.5)))


def test_passes_are_the_points() -> None:
    assert PixelPath(steps=(0.1, 0.2, 0.5)).passes((8, 8)) == 3
    assert PixelPath(steps=5, counting="chunks").passes((4, 2)) == 5
    assert PixelPath(steps=10, counting="multiples").passes((8, 8)) == 6
    assert PixelPath(steps=4, unit="patch", unit_size=2).passes((5, 4)) == 5
    assert PixelPath(steps=(0.0, 0.1, 1.0), unit="slic", unit_size=20).passes((8, 8)) == 3
    assert PixelPath(steps=15, counting="log", unit="slic", unit_size=20).passes((8, 8)) == 14
    assert PixelPath(steps=4, counting="every", unit="channel_pixel").passes((4, 5)) == 15
    assert PixelPath().passes((8, 6)) == 9

"""How many units are replaced at each point of a curve."""

from collections.abc import Callable
from itertools import pairwise

from heatmark.common.names import look_up
from heatmark.metrics.engine.perturbation import pixel_counts

VERSION = 1
"""Raised by whoever changes a count: outdates the curves of perturbed images."""

Steps = int | tuple[float, ...]
"""A number of steps, or the fractions themselves, ascending in [0, 1]."""

Counting = Callable[[int, Steps], list[int]]
"""(units, steps) -> counts, ascending from 0 to the number of units at most."""


def nearest(units: int, steps: Steps) -> list[int]:
    """Return round(units · f), for the fractions f = k / K of K steps, k = 0 … K, or for those given."""
    return pixel_counts(units, steps) if isinstance(steps, int) else [round(units * each) for each in steps]


def floor(units: int, steps: Steps) -> list[int]:
    """Return ⌊units · f⌋, for the fractions f = k / K of K steps, k = 0 … K, or for those given."""
    if isinstance(steps, int):
        return [units * step // steps for step in range(steps + 1)]
    return [int(units * each) for each in steps]


def chunks(units: int, steps: Steps) -> list[int]:
    """Return 0, c, 2c, … below the number of units, and it, with c = ⌈units / K⌉: K intervals at most."""
    return [*range(0, units, -(-units // _whole(steps))), units]


def rest(units: int, steps: Steps) -> list[int]:
    """Return 0, c, 2c, …, (K − 1)c, and the number of units, with c = ⌊units / (K + 1)⌋: the last step is longer."""
    size = units // (_whole(steps) + 1)
    return [*(size * step for step in range(_whole(steps))), units]


def multiples(units: int, steps: Steps) -> list[int]:
    """Return s, 2s, … below the number of units, for s units per step: neither none nor all of them."""
    return list(range(_whole(steps), units, _whole(steps)))


def every(units: int, steps: Steps) -> list[int]:
    """Return s, 2s, … below the number of units, and it, for s units per step: the intact image is missing."""
    return [*multiples(units, steps), units]


def single(units: int, steps: Steps) -> list[int]:
    """Return 0, 1, 2, …, K, one unit per step; up to the number of units where these are fewer than K."""
    return list(range(min(_whole(steps), units) + 1))


def log(units: int, steps: Steps) -> list[int]:
    """Return round(units · f) for f = 0 and the distinct ⌊100^(k / (K − 1))⌋ / 100, k = 0 … K − 1, for K steps.

    The last is all units. Blücher et al., TMLR 2024 (code), for 100 segments.
    """
    return nearest(units, (0.0, *(percent / 100 for percent in _log_percents(_whole(steps)))))


def _log_percents(steps: int) -> list[int]:
    """Return the distinct whole numbers among ``steps`` log-spaced ones from 1 to 100, ascending."""
    if steps < 2:
        raise ValueError(f"steps={steps}, expected at least 2, log-spaced from a hundredth to all")
    return sorted({int(100 ** (step / (steps - 1))) for step in range(steps)})


def _whole(steps: Steps) -> int:
    if not isinstance(steps, int):
        raise ValueError(
            f"steps={list(steps)}, expected a whole number; {', '.join(OF_FRACTIONS)} count given fractions"
        )
    return steps


COUNTINGS: dict[str, Counting] = {
    "nearest": nearest,
    "floor": floor,
    "chunks": chunks,
    "rest": rest,
    "multiples": multiples,
    "every": every,
    "single": single,
    "log": log,
}
OF_FRACTIONS = ("nearest", "floor")
"""The countings that take fractions too."""
OF_ANY_UNITS = (*OF_FRACTIONS, "log")
"""The countings that give as many points whatever the number of units."""


def find_counting(name: str) -> Counting:
    """Return the counting with this name.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    return look_up("counting", name, COUNTINGS)


def checked_steps(steps: object, counting: str) -> Steps | None:
    """Return steps as they are compared: None, a number, or a tuple of fractions.

    Raises:
        ValueError: if a number is no whole one from 1, or the fractions are fewer than two, not ascending in [0, 1], or
            of a counting that takes none.
    """
    find_counting(counting)
    if steps is None or (isinstance(steps, int) and steps >= 1 and not isinstance(steps, bool)):
        return steps
    if not isinstance(steps, list | tuple):
        raise ValueError(
            f"steps={steps!r}, expected a whole number from 1, a list of fractions, or null for one row per step"
        )
    fractions = tuple(steps)
    ascending = all(one < two for one, two in pairwise(fractions))
    if len(fractions) < 2 or not ascending or not 0 <= fractions[0] <= fractions[-1] <= 1:
        raise ValueError(f"steps={list(fractions)}, expected at least two fractions, ascending, from 0 to 1")
    if counting not in OF_FRACTIONS:
        raise ValueError(
            f"counting={counting!r} takes a number of steps, not the fractions {list(fractions)}; "
            f"{', '.join(OF_FRACTIONS)} take them"
        )
    return fractions

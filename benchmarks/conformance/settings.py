"""What a check is asked for, and the values that may be asked for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heatmark.benchmarks.conformance.checked_layer import Size
from heatmark.benchmarks.conformance.invariants import INVARIANTS, Invariant
from heatmark.common.names import did_you_mean
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric


@dataclass(frozen=True)
class Baseline:
    """A regression baseline, and the maps that are held to it where a network is trained.

    Args:
        path: of the table (:mod:`heatmark.benchmarks.conformance.regression_baseline`).
        methods: whose maps are held to it, by name.
        metrics: that score these maps, by name.
        every_layer: of those that are checked; False is the layer of the role ``last`` alone.
        write: whether what is measured now is first written into the table.
    """

    path: Path
    methods: Mapping[str, Method]
    metrics: Mapping[str, Metric]
    every_layer: bool = True
    write: bool = False


@dataclass(frozen=True)
class CheckSettings:
    """Where methods are checked, and what they are held to.

    Args:
        layers: of every network, roles or dotted names.
        sizes: heights and widths of the images in pixels; None draws one for each layer from its name.
        invariants: by name; on the toy network all of them are held to, whatever is named here.
        suite: whether the suite's own code is held to known answers, traps and refusals.
        libraries: whether in-house methods are held to the reference libraries.
        baseline: what in-house methods' maps are held to; None where nothing speaks of them.
    """

    layers: Sequence[str] = ("last",)
    sizes: Sequence[Size] | None = None
    invariants: Mapping[str, Invariant] = field(default_factory=lambda: INVARIANTS)
    suite: bool = True
    libraries: bool = True
    baseline: Baseline | None = None


def as_sizes(given: object) -> list[Size]:
    """Return a list of pairs as heights and widths.

    Raises:
        ValueError: for anything but one or more pairs of positive whole numbers.
    """
    if isinstance(given, list) and given and all(map(_is_size, given)):
        return [(height, width) for height, width in given]
    raise ValueError(f"sizes={given}, expected heights and widths in pixels, such as [[72, 72], [63, 85]], or null")


def _is_size(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(side) is int and side > 0 for side in pair)


def named_invariants(names: Iterable[str]) -> dict[str, Invariant]:
    """Return invariants by name, in the order of the names.

    Raises:
        ValueError: for an invariant that there is not; it names the nearest ones.
    """
    names = list(names)
    for name in names:
        if name not in INVARIANTS:
            hint = did_you_mean(name, INVARIANTS, f"there are {', '.join(INVARIANTS)}")
            raise ValueError(f"unknown invariant {name!r}: {hint}")
    return {name: INVARIANTS[name] for name in names}

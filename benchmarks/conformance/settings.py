"""The settings of a check, and the reading of sizes and invariants from plain values."""

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
    """A regression baseline, and the methods whose maps on trained networks are compared with it.

    Args:
        path: path of the table (:mod:`heatmark.benchmarks.conformance.regression_baseline`).
        methods: the methods whose maps are compared, by name.
        metrics: the metrics that score these maps, by name.
        every_layer: whether maps at all checked layers are compared; False means those at the layer ``last`` alone.
        write: whether the maps' numbers of now are first written into the table.
    """

    path: Path
    methods: Mapping[str, Method]
    metrics: Mapping[str, Metric]
    every_layer: bool = True
    write: bool = False


@dataclass(frozen=True)
class CheckSettings:
    """Settings of a check: where methods are checked, and against what.

    Args:
        layers: the layers of every network, as roles or dotted names.
        sizes: heights and widths of the images in pixels; None draws one per layer by the layer's name.
        invariants: the invariants to check, by name; on the toy network all are checked, whatever is named here.
        suite: whether known answers, traps and refusals of the suite's own code are checked.
        libraries: whether in-house methods are compared with the reference libraries.
        baseline: the regression baseline for in-house methods' maps; None for none.
        metrics: names of the metrics that are compared with other implementations, on the toy network and on others.
    """

    layers: Sequence[str] = ("last",)
    sizes: Sequence[Size] | None = None
    invariants: Mapping[str, Invariant] = field(default_factory=lambda: INVARIANTS)
    suite: bool = True
    libraries: bool = True
    baseline: Baseline | None = None
    metrics: Sequence[str] = ()


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
        ValueError: for an unknown invariant; the message names the nearest.
    """
    names = list(names)
    for name in names:
        if name not in INVARIANTS:
            hint = did_you_mean(name, INVARIANTS, f"there are {', '.join(INVARIANTS)}")
            raise ValueError(f"unknown invariant {name!r}: {hint}")
    return {name: INVARIANTS[name] for name in names}

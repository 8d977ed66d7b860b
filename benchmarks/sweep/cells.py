"""Cells, each a method at a layer of a job's model, with the keys of their maps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from heatmark.benchmarks.sweep.keys import map_key
from heatmark.common.seeds import redrawn
from heatmark.methods.base import Method


@dataclass(frozen=True)
class Cell:
    """One method at one layer of a job's model.

    Args:
        layer: dotted name, or ``input`` for a method that explains the input.
        method_name: the method's name in the tables.
        method: the method itself, with the seed of the replicate.
        key: the key of its maps.
        replicate: number of the draw, from 0; 0 alone for a method that draws nothing.
    """

    layer: str
    method_name: str
    method: Method
    key: str
    replicate: int = 0

    @property
    def draws(self) -> bool:
        """Whether the method draws from its field ``seed``."""
        return redrawn(self.method, 1) is not self.method


def cells(methods: Mapping[str, Method], layers: Sequence[str], model: str, replicates: int = 1) -> Iterator[Cell]:
    """Yield one cell per method and layer, and per replicate of a method that draws.

    A method that explains the input comes once, under the layer ``input``.

    Args:
        methods: by their names in the tables.
        layers: dotted names.
        model: the model's key.
        replicates: number of draws that were asked for; a method may have more of its own (``Method.replicates``).

    Raises:
        ValueError: for a method with an option that is a function or another object, naming it.
    """
    for name, method in methods.items():
        for layer in dict.fromkeys(layers) if method.explains == "layer" else ["input"]:
            for number, again in enumerate(drawn(method, replicates)):
                yield Cell(layer, name, again, map_key(model, layer, again), number)


def drawn(method: Method, replicates: int) -> list[Method]:
    """Return the draws of a method, itself the first; itself alone where it draws nothing.

    Args:
        method: the method.
        replicates: number of draws that were asked for.
    """
    count = max(replicates, method.replicates) if redrawn(method, 1) is not method else 1
    return [redrawn(method, number) for number in range(count)]


def by_layer(found: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Return cells by their layer, in the order of their first appearance."""
    layers: dict[str, list[Cell]] = {}
    for cell in found:
        layers.setdefault(cell.layer, []).append(cell)
    return layers

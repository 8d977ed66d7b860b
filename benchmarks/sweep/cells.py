"""Cells, each a method at a layer of a job's model, with the keys of their maps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from heatmark.benchmarks.sweep.keys import map_key
from heatmark.methods.base import Method


@dataclass(frozen=True)
class Cell:
    """One method at one layer of a job's model.

    Args:
        layer: dotted name, or ``input`` for a method that explains the input.
        method_name: the method's name in the tables.
        method: the method itself.
        key: the key of its maps.
    """

    layer: str
    method_name: str
    method: Method
    key: str


def cells(methods: Mapping[str, Method], layers: Sequence[str], model: str) -> Iterator[Cell]:
    """Yield one cell per method and layer; a method that explains the input comes once, under the layer ``input``.

    Args:
        methods: by their names in the tables.
        layers: dotted names.
        model: the model's key.

    Raises:
        ValueError: for a method with an option that is a function or another object, naming it.
    """
    for name, method in methods.items():
        for layer in dict.fromkeys(layers) if method.explains == "layer" else ["input"]:
            yield Cell(layer, name, method, map_key(model, layer, method))


def by_layer(found: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Return cells by their layer, in the order of their first appearance."""
    layers: dict[str, list[Cell]] = {}
    for cell in found:
        layers.setdefault(cell.layer, []).append(cell)
    return layers

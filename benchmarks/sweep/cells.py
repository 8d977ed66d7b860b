"""Cells, each a method at a layer of a job's model, and the keys by which finished ones are found again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heatmark.common.identity import class_path, digest_json, options
from heatmark.methods.base import Method

NUMBERS_VERSION = 3
"""The version of the suite's numbers, raised whenever its code changes one, so that older cells are computed again."""


@dataclass(frozen=True)
class Cell:
    """One method at one layer of a job's model, on all of the job's images.

    Args:
        layer: dotted name, or ``input`` for a method that explains the input.
        method_name: the method's name in the tables.
        method: the method itself.
        identity: everything that can change the cell's numbers, as plain JSON values.
    """

    layer: str
    method_name: str
    method: Method
    identity: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The SHA-256 of the canonical JSON of the identity."""
        return digest_json(self.identity)


def cells(methods: Mapping[str, Method], layers: Sequence[str], job: Mapping[str, Any]) -> Iterator[Cell]:
    """Yield one cell per method and layer; a method that explains the input comes once, under the layer ``input``.

    Args:
        methods: by their names in the tables.
        layers: dotted names.
        job: what the job's cells have in common; see :meth:`heatmark.benchmarks.sweep.job.Job.identity`.

    Raises:
        ValueError: for a method with an option that is a function or another object, naming it.
    """
    for name, method in methods.items():
        for layer in dict.fromkeys(layers) if method.explains == "layer" else ["input"]:
            own = {"layer": layer, "method": name, "class": class_path(method), "options": options(method)}
            yield Cell(layer, name, method, {**job, **own, "numbers_version": NUMBERS_VERSION})

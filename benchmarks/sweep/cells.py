"""What a cell is, and the key that says whether it was done before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heatmark.common.identity import class_path, digest_json, options
from heatmark.methods.base import Method

NUMBERS_VERSION = 3
"""Raised whenever the suite's own code changes a number, so that older cells are computed again."""


@dataclass(frozen=True)
class Cell:
    """One method at one layer of a job's model, on all of the job's images.

    Args:
        layer: dotted name, or ``input`` for a method that belongs to no layer.
        method_name: what the tables call the method.
        method: the method itself.
        identity: all that can change the cell's numbers, as plain JSON values.
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
    """Yield layers × methods; a method that belongs to no layer comes once, under ``input``.

    Args:
        methods: by the name that the tables show.
        layers: dotted names.
        job: what the job's cells have in common; see :meth:`heatmark.benchmarks.sweep.job.Job.identity`.

    Raises:
        ValueError: for a method with an option that is a function or another object, naming it.
    """
    for name, method in methods.items():
        for layer in dict.fromkeys(layers) if method.explains == "layer" else ["input"]:
            own = {"layer": layer, "method": name, "class": class_path(method), "options": options(method)}
            yield Cell(layer, name, method, {**job, **own, "numbers_version": NUMBERS_VERSION})

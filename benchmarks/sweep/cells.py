"""What a cell is, and the key that says whether it was done before."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

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


def digest_json(value: object) -> str:
    """Return the SHA-256 of the canonical JSON (sorted keys, no spaces) of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def options(method: object) -> dict[str, Any]:
    """Return a method's hyperparameters as plain values, without ``batch_size``, which changes no number."""
    return {f.name: _plain(getattr(method, f.name)) for f in fields(method) if f.name != "batch_size"}  # type: ignore[arg-type]


def _plain(value: object) -> Any:
    if isinstance(value, Method):
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **options(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def cells(methods: Mapping[str, Method], layers: Sequence[str], job: Mapping[str, Any]) -> Iterator[Cell]:
    """Yield layers × methods; a method that belongs to no layer comes once, under ``input``.

    Args:
        methods: by the name that the tables show.
        layers: dotted names.
        job: what the job's cells have in common; see :meth:`heatmark.benchmarks.sweep.job.Job.identity`.
    """
    for name, method in methods.items():
        for layer in dict.fromkeys(layers) if method.explains == "layer" else ["input"]:
            path = f"{type(method).__module__}.{type(method).__qualname__}"
            own = {"layer": layer, "method": name, "class": path, "options": options(method)}
            yield Cell(layer, name, method, {**job, **own, "numbers_version": NUMBERS_VERSION})

"""Tests of cells: a key changes with everything that can change a number, and with nothing else."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest
from torch import Tensor, nn

from heatmark.benchmarks.sweep.cells import cells
from heatmark.common.identity import digest_json
from heatmark.methods.base import Method

JOB = {
    "model": "m",
    "weights": "w",
    "images": "i",
    "target": "predicted",
    "seed": 0,
    "metrics": ["deletion:rise-2018"],
}


@dataclass(frozen=True)
class AtLayer(Method):
    power: float = 1.0
    seed: int = 0
    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Another(AtLayer):
    """A method with the options and the name of another one, but with another implementation."""


@dataclass(frozen=True)
class OnInput(AtLayer):
    explains: ClassVar[Literal["layer", "input"]] = "input"


def keys(method: Method, layers: list[str], **changes: object) -> list[str]:
    return [cell.key for cell in cells({"m": method}, layers, {**JOB, **changes})]


def test_layers_by_methods_and_input_once() -> None:
    listed = cells({"a": AtLayer(), "b": OnInput()}, ["x", "y", "x"], JOB)
    assert [(t.layer, t.method_name) for t in listed] == [("x", "a"), ("y", "a"), ("input", "b")]


def test_the_key_is_the_sha256_of_canonical_json() -> None:
    import hashlib

    assert digest_json({"b": 1, "a": [1.5, "x"]}) == hashlib.sha256(b'{"a":[1.5,"x"],"b":1}').hexdigest()


@pytest.mark.parametrize("name", JOB)
def test_every_part_of_the_job_changes_the_key(name: str) -> None:
    assert keys(AtLayer(), ["x"]) != keys(AtLayer(), ["x"], **{name: "other"})


def test_layer_method_and_options_change_the_key_and_the_batch_does_not() -> None:
    (base,) = keys(AtLayer(), ["x"])
    assert [base] != keys(AtLayer(), ["y"])
    assert [base] != keys(AtLayer(power=2.0), ["x"])
    assert [base] != keys(AtLayer(seed=1), ["x"])
    assert [base] != keys(Another(), ["x"])
    assert [base] != keys(OnInput(), ["x"])
    assert [base] == keys(AtLayer(batch_size=3), ["x"])


def test_layers_apart_give_the_same_keys_as_layers_together() -> None:
    together = keys(AtLayer(), ["x", "y"])
    assert together == keys(AtLayer(), ["x"]) + keys(AtLayer(), ["y"])
    assert keys(OnInput(), ["x"]) == keys(OnInput(), ["y"])

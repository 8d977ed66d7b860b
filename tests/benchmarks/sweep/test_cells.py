"""Tests of cells: a key changes with everything that can change a number, and with nothing else."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from heatmark.benchmarks.conformance.answers.identity import Another, Configured
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
class OnInput(Configured):
    explains: ClassVar[Literal["layer", "input"]] = "input"


def keys(method: Method, layers: list[str], **changes: object) -> list[str]:
    return [cell.key for cell in cells({"m": method}, layers, {**JOB, **changes})]


def test_layers_by_methods_and_input_once() -> None:
    listed = cells({"a": Configured(), "b": OnInput()}, ["x", "y", "x"], JOB)
    assert [(t.layer, t.method_name) for t in listed] == [("x", "a"), ("y", "a"), ("input", "b")]


def test_the_key_is_the_sha256_of_canonical_json() -> None:
    import hashlib

    assert digest_json({"b": 1, "a": [1.5, "x"]}) == hashlib.sha256(b'{"a":[1.5,"x"],"b":1}').hexdigest()


@pytest.mark.parametrize("name", JOB)
def test_every_part_of_the_job_changes_the_key(name: str) -> None:
    assert keys(Configured(), ["x"]) != keys(Configured(), ["x"], **{name: "other"})


def test_layer_method_and_options_change_the_key_and_the_batch_does_not() -> None:
    (base,) = keys(Configured(), ["x"])
    assert [base] != keys(Configured(), ["y"])
    assert [base] != keys(Configured(power=2.0), ["x"])
    assert [base] != keys(Configured(seed=1), ["x"])
    assert [base] != keys(Another(), ["x"])
    assert [base] != keys(OnInput(), ["x"])
    assert [base] == keys(Configured(batch_size=3), ["x"])


def test_layers_apart_give_the_same_keys_as_layers_together() -> None:
    together = keys(Configured(), ["x", "y"])
    assert together == keys(Configured(), ["x"]) + keys(Configured(), ["y"])
    assert keys(OnInput(), ["x"]) == keys(OnInput(), ["y"])

"""Options as plain values; what cannot be told from another thing in the next process is an error."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from heatmark.common.identity import changed, definition, digest_json, digest_tensor, options, request


@dataclass(frozen=True)
class Inner:
    speed_only: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    power: float = 1.0
    batch_size: int = 16


@dataclass(frozen=True)
class Outer:
    speed_only: ClassVar[frozenset[str]] = frozenset({"threads"})

    inner: Inner = Inner()
    layers: Sequence[str] = ("a", "b")
    weights: Mapping[str, float] | None = None
    threads: int = 1
    batch_size: int = 16


@dataclass(frozen=True)
class Anything:
    value: object = None


class Colour(Enum):
    RED = 1


def test_options_are_plain_and_leave_out_what_the_class_says_is_speed() -> None:
    inner = {"class": f"{__name__}.Inner", "power": 2.0}
    expected = {"inner": inner, "layers": ["a", "b"], "weights": {"x": 0.5}, "batch_size": 16}
    assert options(Outer(Inner(2.0, 3), weights={"x": 0.5}, threads=9)) == expected


def test_a_tensor_stands_by_its_values_shape_and_type() -> None:
    values = torch.arange(6.0).view(2, 3)
    assert options(Anything(values)) == {"value": f"tensor:{digest_tensor(values)}"}
    assert digest_tensor(values) == hashlib.sha256(b"torch.float32 (2, 3) " + values.numpy().tobytes()).hexdigest()
    assert digest_tensor(values.t().contiguous().t()) == digest_tensor(values)
    others: list[Tensor] = [values + 1, values.view(3, 2), values.double(), values.bfloat16(), torch.tensor(0.0)]
    assert len({digest_tensor(other) for other in (values, values.bool(), *others)}) == 7


@pytest.mark.parametrize(
    "value", [print, lambda x: x, object(), Inner, Colour.RED, torch.device("cpu"), Path("x"), {1, 2}, torch.float32]
)
@pytest.mark.parametrize("use", [options, changed, lambda thing: definition("m", thing)])
def test_a_function_or_an_object_is_an_error_naming_the_option(value: object, use: Callable[[object], object]) -> None:
    with pytest.raises(ValueError, match=r"option Anything\.value is .*, expected text"):
        use(Anything(value))


def test_an_object_deep_inside_is_named_by_where_it_is() -> None:
    with pytest.raises(ValueError, match=r"option Anything\.value\['x'\]\[1\] is <built-in function print>"):
        options(Anything({"x": [0, print]}))
    with pytest.raises(ValueError, match=r"option Anything\.value is <built-in function print>"):
        options(Outer(inner=Anything(print)))  # type: ignore[arg-type]


def test_what_is_no_dataclass_is_refused() -> None:
    for thing in ("text", Outer):
        with pytest.raises(ValueError, match="expected a frozen dataclass"):
            options(thing)


def test_changed_is_what_differs_from_the_defaults() -> None:
    assert changed(Outer()) == changed(Outer(threads=4, inner=Inner(batch_size=2))) == {}
    assert changed(Outer(layers=["a", "b"])) == {}  # a list of a config is the tuple of the default
    assert changed(Outer(batch_size=3, layers=["c"])) == {"batch_size": 3, "layers": ["c"]}


def test_an_option_of_speed_may_be_a_function() -> None:
    @dataclass(frozen=True)
    class Told:
        speed_only: ClassVar[frozenset[str]] = frozenset({"tell"})

        steps: int = 5
        tell: Callable[..., None] = print

    assert options(Told()) == {"steps": 5}
    assert definition("m", Told(steps=6)) == "m[steps=6]"


@dataclass(frozen=True)
class Protocol:
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"p": {"steps": 5}, "q": {"steps": 6, "fill": "mean"}}
    beside: ClassVar[frozenset[str]] = frozenset({"orders"})

    quantile: float
    steps: int = 5
    fill: str | None = None
    preset: str = "p"
    orders: int = 0


def test_ids_are_written_as_the_tables_hold_them() -> None:
    metric = Protocol(0.5)
    assert definition("m", metric) == request("m", metric) == "m:p[quantile=0.5]"
    assert definition("m", replace(metric, preset="q")) == "m:q[fill=None,quantile=0.5,steps=5]"
    assert definition("m", replace(metric, preset="q", fill="mean", steps=6, orders=2)) == "m:q[quantile=0.5]"
    assert request("m", replace(metric, orders=2)) == "m:p[quantile=0.5] with orders=2"


def test_the_digest_of_json_is_canonical() -> None:
    assert digest_json({"b": 1, "a": [1.5, "x"]}) == hashlib.sha256(b'{"a":[1.5,"x"],"b":1}').hexdigest()

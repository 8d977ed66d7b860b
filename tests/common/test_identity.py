"""Options as plain values; what cannot be told from another thing in the next process is an error."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from heatmark.common import resize, versions
from heatmark.common.identity import (
    changed,
    definition,
    digest_json,
    digest_tensor,
    identity,
    options,
    request,
    require_distinct,
    values,
)
from heatmark.methods.base import Method
from heatmark.methods.engine import cam, capture
from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.external.captum_gradients import IntegratedGradients
from heatmark.methods.external.captum_layers import LayerGradCAM
from heatmark.methods.external.pgc import PytorchGradCAM
from heatmark.methods.fusion import FusedLayers
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.rise import RISE


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
@pytest.mark.parametrize("use", [options, changed, identity, lambda thing: definition("m", thing)])
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


def test_an_identity_is_what_is_not_usual() -> None:
    assert identity(GradCAM()) == {"package": "heatmark", "name": "GradCAM", "engines": {"cam": cam.VERSION}}
    assert identity(RISE(masks=10, seed=3, batch_size=99)) == {
        "package": "heatmark",
        "name": "RISE",
        "options": {"masks": 10, "seed": 3},
    }
    assert list(identity(RISE(seed=3, masks=10))["options"]) == ["masks", "seed"]


def test_an_option_that_is_a_method_is_its_identity() -> None:
    found = identity(FusedLayers(RISEAtALayer(batch_size=3), ["a"]))
    assert found["options"]["method"] == identity(RISEAtALayer())
    assert values(FusedLayers(LayerCAM(), ["a"])) == {
        "method": {"package": "heatmark", "name": "LayerCAM", "engines": {"cam": cam.VERSION}},
        "layers": ["a"],
        "how": "mean",
    }


class RISEAtALayer(RISE):
    explains: ClassVar = "layer"


def test_equal_numbers_are_equal_however_they_are_written() -> None:
    assert digest_json(identity(Anything(2))) == digest_json(identity(Anything(2.0)))
    assert "options" not in identity(Inner(1))
    assert identity(Anything(2.5))["options"] == {"value": 2.5}
    assert identity(Anything(False))["options"] == {"value": False}
    assert identity(Anything([3.0, {"x": 1.0}]))["options"] == {"value": [3, {"x": 1}]}
    one, other = Anything({"a": 1, "b": 2}), Anything({"b": 2, "a": 1})
    assert digest_json(identity(one)) == digest_json(identity(other))


@dataclass(frozen=True)
class Unsettled:
    """Leaves None where the preset has a value."""

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"p": {"ties": "drawn"}, "q": {"ties": "raster"}}
    ties: str | None = None
    preset: str = "p"
    layers: list[str] = field(default_factory=list)


def test_presets_are_their_values() -> None:
    assert "options" not in identity(Unsettled())
    assert "options" not in identity(Unsettled(preset="q", ties="drawn"))
    assert identity(Unsettled(preset="q"))["options"] == {"ties": "raster"} == identity(Unsettled("raster"))["options"]
    assert values(Unsettled(preset="q")) == {"ties": "raster", "layers": []}


def test_an_adapter_has_the_version_of_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", {"captum": "0.9", "grad-cam": "1.5"}.__getitem__)
    expected = {"package": "pytorch_grad_cam", "name": "PytorchGradCAM", "options": {"cam": "GradCAM"}}
    assert identity(PytorchGradCAM("GradCAM")) == {**expected, "library": "1.5"}
    assert identity(LayerGradCAM()) == {"package": "captum", "name": "LayerGradCAM", "library": "0.9"}
    monkeypatch.setattr(versions, "version", {"captum": "1.0"}.__getitem__)
    assert identity(LayerGradCAM())["library"] == "1.0"
    assert versions.library_version("not_installed_here") == ""


METHODS = {
    "captum": IntegratedGradients(),
    "fused": FusedLayers(GradCAM(), ["a"]),
    "grad_cam": GradCAM(),
    "hires_cam": HiResCAM(),
    "rise": RISE(),
}


def outdated(change: Callable[[], None]) -> set[str]:
    before = {name: identity(method) for name, method in METHODS.items()}
    change()
    return {name for name, method in METHODS.items() if identity(method) != before[name]}


def test_a_class_version_outdates_the_class_and_its_subclasses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outdated(lambda: monkeypatch.setattr(GradCAM, "version", 2, raising=False)) == {"grad_cam", "fused"}
    assert identity(GradCAM())["versions"] == {"GradCAM": 2}
    assert outdated(lambda: monkeypatch.setattr(WeightedCAM, "version", 5, raising=False)) == {"grad_cam", "fused"}
    assert identity(GradCAM())["versions"] == {"GradCAM": 2, "WeightedCAM": 5}
    assert outdated(lambda: monkeypatch.setattr(Method, "version", 2)) == set(METHODS)


def test_an_engine_version_outdates_its_users_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    users = {"grad_cam", "hires_cam", "fused"}
    assert outdated(lambda: monkeypatch.setattr(capture, "VERSION", 2)) == users
    assert identity(HiResCAM())["engines"] == {"capture": 2, "cam": cam.VERSION}
    assert outdated(lambda: monkeypatch.setattr(resize, "VERSION", 7)) == {"fused", "rise"}
    assert identity(FusedLayers(GradCAM(), ["a"]))["engines"] == {"resize": 7}  # capture is its method's


def test_modules_with_a_version_differ_in_the_last_part_of_their_names() -> None:
    root = Path(__file__).parents[2]
    files = [p for d in ("common", "methods", "metrics") for p in (root / d).rglob("*.py")]
    stated = [path.stem for path in files if "\nVERSION = " in path.read_text()]
    assert len(stated) == len(set(stated)) >= 9


def test_a_moved_class_keeps_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "VERSION", 2)
    before = identity(GradCAM())
    monkeypatch.setattr(GradCAM, "__module__", HiResCAM.__module__)
    assert identity(GradCAM()) == before


def one_class() -> type:
    @dataclass(frozen=True)
    class Same:
        pass

    return Same


def another_class() -> type:
    @dataclass(frozen=True)
    class Same:
        pass

    return Same


def test_different_classes_of_one_identity_are_refused() -> None:
    one, other = one_class()(), another_class()()
    assert identity(one) == identity(other)
    with pytest.raises(ValueError, match=r'a \(.*one_class.*Same\) and b \(.*another_class.*Same\) are.*name = "…"'):
        require_distinct({"a": one, "b": other})
    require_distinct({"a": one, "b": one_class()(), "c": GradCAM(), "d": GradCAM()})


def test_a_name_separates_classes() -> None:
    one, other = one_class(), another_class()
    other.name = "other"  # type: ignore[attr-defined]
    require_distinct({"a": one(), "b": other()})
    assert identity(other())["name"] == "other"
    assert identity(one())["name"] == "Same"


@dataclass(frozen=True)
class Named:
    name: str = "x"


def test_a_field_called_name_is_an_option() -> None:
    assert identity(Named("y"))["name"] == "Named"
    assert identity(Named("y"))["options"] == {"name": "y"}
    assert identity(Named())["package"] == __name__.partition(".")[0]

"""Methods and metrics from names, objects, classes and functions."""

import functools
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.face.things import methods_of, metrics_of, name_of
from heatmark.common.identity import identity
from heatmark.methods.base import Method
from heatmark.methods.function import from_function
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.rise import RISE
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion

SCALE = 1.0


def brightness(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    return SCALE * images.mean(1)


def as_array(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> object:
    return images.mean(1).numpy()


class Plain(Method):
    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images.mean(1)


class Hidden(Method):
    def __init__(self, sigma: float) -> None:
        self.sigma = sigma

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return self.sigma * images.mean(1)


class Inherits(GradCAM):
    pass


@dataclass(frozen=True)
class Directionless(Metric):
    def __call__(self, batch: Explained) -> Scores:
        return Scores(batch.maps.flatten(1).mean(1))


def test_names_objects_classes_and_functions() -> None:
    found = methods_of(["grad_cam", GradCAM, RISE(masks=10), brightness, Plain, Inherits()])
    assert list(found) == ["grad_cam", "rise(masks=10)", "brightness", "Plain", "Inherits"]
    assert found["grad_cam"] == GradCAM()


def test_one_thing_without_a_list() -> None:
    assert list(methods_of("grad_cam")) == ["grad_cam"]
    assert list(methods_of(brightness)) == ["brightness"]
    assert list(metrics_of(Deletion())) == ["deletion"]


def test_a_mapping_gives_names() -> None:
    found = methods_of({"a": "grad_cam", "b": lambda model, images, targets, layer: images.mean(1)})
    assert list(found) == ["a", "b"]


def test_a_pattern_gives_several() -> None:
    assert set(methods_of("*grad_cam_pp")) == {"grad_cam_pp", "pgc_grad_cam_pp"}
    with pytest.raises(ValueError, match="one name cannot be given to all"):
        methods_of({"mine": "*grad_cam_pp"})


def test_options_are_in_the_name_of_an_object() -> None:
    assert name_of("metric", Deletion(steps=3, baseline="mean")) == "deletion(baseline=mean,steps=3)"
    assert list(metrics_of(["deletion", Deletion(steps=3)])) == ["deletion", "deletion(steps=3)"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "expected a method's name"),
        ("grad_cma", "did you mean grad_cam"),
        (lambda model, images, targets, layer: images, "has no name"),
        (lambda: 1, "has no name"),
        (Hidden(1.0), "keeps sigma in its object"),
        (Deletion(), "expected a method's name"),
    ],
)
def test_what_is_no_method(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        methods_of([given])  # type: ignore[list-item]


def test_a_function_with_other_arguments() -> None:
    def two(model: nn.Module, images: Tensor) -> Tensor:
        return images

    with pytest.raises(ValueError, match="two must take \\(model, images, targets, layer\\)"):
        methods_of(two)  # type: ignore[arg-type]


def test_a_metric_without_a_direction() -> None:
    with pytest.raises(ValueError, match="does not say its direction"):
        metrics_of(Directionless())


def test_two_things_of_one_name() -> None:
    with pytest.raises(ValueError, match="two different methods are called brightness"):
        methods_of([brightness, from_function(as_array, "brightness")])
    assert list(methods_of([brightness, brightness])) == ["brightness"]


def test_maps_of_a_function_may_be_an_array() -> None:
    images = torch.rand(2, 3, 4, 4)
    maps = from_function(as_array)(nn.Linear(1, 1), images, torch.zeros(2), "x")
    assert torch.equal(maps, images.mean(1))


def test_a_function_leaves_no_gradients_and_no_hooks() -> None:
    def careless(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        model.register_forward_hook(lambda *_: None)
        model(images.flatten(1)).sum().backward()
        return images.mean(1)

    model = nn.Linear(48, 2)
    from_function(careless)(model, torch.rand(2, 3, 4, 4), torch.zeros(2), "x")
    assert model.weight.grad is None
    assert not model._forward_hooks


def test_what_a_function_refers_to_is_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(from_function(brightness))
    assert identity(from_function(brightness)) == before
    monkeypatch.setattr("tests.benchmarks.face.test_things.SCALE", 2.0, raising=False)
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    assert identity(from_function(brightness)) != before


def test_arguments_of_a_partial_are_its_identity() -> None:
    def scaled(model: nn.Module, images: Tensor, targets: Tensor, layer: str, by: float = 1.0) -> Tensor:
        return by * images.mean(1)

    one, two = (identity(from_function(functools.partial(scaled, by=by), "scaled")) for by in (1.0, 2.0))
    assert one != two
    assert one == identity(from_function(functools.partial(scaled, by=1.0), "scaled"))

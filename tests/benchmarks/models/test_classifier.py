"""Classes by number or name, and a digest that depends on every weight."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from heatmark.benchmarks.models.classifier import Classifier, structure
from heatmark.benchmarks.models.predictions import top_k
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.common.features import TokenLayout


def _classifier(classes: tuple[str, ...] = ("red fox", "cat", "dog", "crane", "crane")) -> Classifier:
    head = nn.Linear(1, 5)
    head.weight.data = torch.tensor([[0.0], [2.0], [1.0], [1.0], [-1.0]])
    head.bias.data.zero_()
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), _FirstChannel(), head)
    return Classifier("toy", module.eval(), "own", Preprocessing(), {}, classes)


class _FirstChannel(nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :1]


@pytest.mark.parametrize(("label", "index"), [(2, 2), ("2", 2), ("Red_Fox", 0), (" dog ", 2), (0, 0)])
def test_a_class_by_number_or_name(label: int | str, index: int) -> None:
    assert _classifier().class_index(label) == index


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("red foxes", "unknown class 'red foxes' of toy: did you mean red fox"),
        ("crane", "several classes 'crane': 3, 4; give the number"),
        (5, "class 5 is out of range: toy has 5 classes"),
        (-1, "class -1 is out of range"),
    ],
)
def test_a_wrong_class_is_named(label: int | str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _classifier().class_index(label)


def test_the_digest_sees_values_types_shapes_and_buffers() -> None:
    classifier = _classifier()
    digests = {classifier.digest(), Classifier("other", classifier.module, "x", Preprocessing()).digest()}
    assert len(digests) == 1
    for change in (
        lambda m: m[3].weight.data.add_(1e-6),
        lambda m: m.to(torch.bfloat16),
        lambda m: m.register_buffer("scale", torch.tensor(1.0)),
        lambda m: setattr(m[3], "weight", nn.Parameter(m[3].weight.data.reshape(1, 5))),
    ):
        module = copy.deepcopy(classifier.module)
        change(module)
        digests.add(Classifier("toy", module, "own", Preprocessing()).digest())
    assert len(digests) == 5


def test_the_digest_of_a_network_sees_what_no_tensor_knows_of() -> None:
    classifier = _classifier()
    again = replace(_classifier(), preprocessing=Preprocessing(crop=[224, 224]))  # as a yaml gives it
    assert classifier.network_digest() == again.network_digest()
    digests = {classifier.network_digest(), replace(classifier, preprocessing=Preprocessing(232)).network_digest()}
    for change in (
        lambda m: m[3].weight.data.add_(1e-6),
        lambda m: m.append(nn.ReLU()),
        lambda m: m.append(nn.Tanh()),
        lambda m: setattr(m[2], "act", torch.relu),
        lambda m: setattr(m[2], "act", torch.tanh),
        lambda m: setattr(m[2], "scale", 2.0),
        lambda m: setattr(m[2], "layout", TokenLayout(class_tokens=1)),
    ):
        module = copy.deepcopy(classifier.module)
        change(module)
        digests.add(replace(classifier, module=module).network_digest())
    assert len(digests) == 9


def test_the_digest_is_the_same_in_every_process_and_mode() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), _FirstChannel())
    module[2].act = torch.relu  # type: ignore[assignment]
    module[2].hidden, module[2].pair = object(), (object(), object())  # type: ignore[assignment]  # whose repr is an address
    lines = list(structure(module.eval()))
    assert lines == list(structure(module.train()))
    assert not any(" at 0x" in line for line in lines)
    assert lines[1] == "0 Conv2d 3, 2, kernel_size=(3, 3), stride=(1, 1)"
    assert lines[3] == "2 _FirstChannel {'act': '_VariableFunctionsClass.relu'}"


def test_top_k_by_hand() -> None:
    classifier = _classifier()
    images = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
    nothing, something = top_k(classifier, images, 3)
    assert [p.target for p in nothing] == [0, 1, 2]  # all equal: lower numbers first
    assert nothing[0] == (0, "red fox", pytest.approx(0.2))
    total = sum(torch.tensor([0.0, 2.0, 1.0, 1.0, -1.0]).exp()).item()
    assert [(p.target, p.name) for p in something] == [(1, "cat"), (2, "dog"), (3, "crane")]
    assert something[1].probability == pytest.approx(math.e / total)
    assert len(top_k(classifier, images, 9)[0]) == 5


def test_top_k_of_a_model_that_gives_nan() -> None:
    with pytest.raises(ValueError, match=r"toy \(own\) gives NaN"):
        top_k(_classifier(), torch.full((1, 3, 4, 4), torch.nan), 1)
    with pytest.raises(ValueError, match="k is 0"):
        top_k(_classifier(), torch.zeros(1, 3, 4, 4), 0)


def test_the_order_in_which_options_were_set_changes_no_digest() -> None:
    class Scaled(nn.Module):
        """Options of its own, set in any order."""

    one, other = Scaled(), Scaled()
    one.gain, one.power = 2.0, 3  # type: ignore[assignment]
    other.power, other.gain = 3, 2.0  # type: ignore[assignment]
    assert list(structure(one)) == list(structure(other))
    assert "gain" in str(list(structure(one)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"gains": [1.0, 2.0]}, {"gains": [1.0, 3.0]}),
        ({"acts": [torch.relu]}, {"acts": [torch.tanh]}),
        ({"pair": (object(), 1)}, {"pair": (object(), 2)}),
        ({"sizes": {"a": 1, "b": (2, {"c": 3})}}, {"sizes": {"a": 1, "b": (2, {"c": 4})}}),
        ({"_power": 2}, {"_power": 3}),
    ],
)
def test_options_in_lists_dicts_and_private_attributes_are_read(
    one: dict[str, object], other: dict[str, object]
) -> None:
    lines = [list(structure(_with(options))) for options in (one, copy.deepcopy(one), other)]
    assert lines[0] == lines[1] != lines[2]


def _with(options: dict[str, object]) -> nn.Module:
    module = _FirstChannel()
    for key, value in options.items():
        setattr(module, key, value)
    return module


def test_a_dict_of_options_is_read_in_any_order() -> None:
    one, other = _with({"sizes": {"a": 1, "b": 2}}), _with({"sizes": {"b": 2, "a": 1}})
    assert list(structure(one)) == list(structure(other)) == [" _FirstChannel {'sizes': \"('a': 1, 'b': 2)\"}"]


def test_a_buffer_that_is_not_saved_is_read() -> None:
    def scaled(by: float) -> nn.Module:
        module = nn.Sequential(nn.ReLU())
        module.register_buffer("scale", torch.tensor(by), persistent=False)
        return module

    assert list(structure(scaled(1.0))) == list(structure(scaled(1.0))) != list(structure(scaled(2.0)))
    assert "scale" not in scaled(1.0).state_dict()


def test_pytorchs_own_attributes_are_no_options() -> None:
    convolution = nn.Conv2d(3, 2, 3)
    convolution._of_another_version = 1  # type: ignore[assignment]
    assert list(structure(convolution)) == [" Conv2d 3, 2, kernel_size=(3, 3), stride=(1, 1)"]
    assert list(structure(nn.Sequential())) == [" Sequential {}"]

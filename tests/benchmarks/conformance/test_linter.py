"""Each peculiarity of a layer is found on a network that has it, and on no other."""

import copy

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.linter import lint
from heatmark.common.features import TokenLayout


class Odd(nn.Module):
    """A layer of every odd kind."""

    token_layout = TokenLayout(class_tokens=2)

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(3, 4, 3, padding=1)
        self.overwritten = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.ignored = nn.Conv2d(4, 4, 1)
        self.never = nn.Conv2d(4, 4, 1)
        self.dead = nn.Conv2d(4, 4, 1)
        self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
        self.tokens = nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.overwritten(self.plain(x)))
        x = self.twice(self.twice(x).sigmoid()).sigmoid()
        self.ignored(x)
        x = x + self.dead(x).clamp(min=1e6, max=2e6) * 1e-6
        tokens = self.tokens(x.flatten(2).transpose(1, 2))
        mixed, _ = self.attention(tokens, tokens, tokens)
        x = x + mixed.transpose(1, 2).reshape(x.shape)
        return self.fc(self.flat(self.pool(x)))


@pytest.fixture(scope="module")
def odd():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Odd().eval(), torch.randn(2, 3, 8, 12), torch.tensor([0, 2])


@pytest.mark.parametrize(
    ("layer", "expected", "words"),
    [
        ("plain", [], ""),
        ("overwritten", ["in_place_successor"], "overwrites its output in place"),
        ("twice", ["called_more_than_once"], "runs 2 times"),
        ("never", ["called_more_than_once"], "runs 0 times"),
        ("ignored", ["independent_target"], "does not depend on ignored"),
        ("dead", ["dead_gradient"], "zero for 2 of 2 images"),
        ("attention", ["no_tensor"], "gives a tuple"),
        ("tokens", ["token_grid"], "96 tokens do not fit"),
        ("pool", ["single_place"], "one place of 1×1"),
        ("flat", ["non_spatial"], "are not maps over the image"),
    ],
)
def test_what_is_odd_is_named_and_nothing_else(odd, layer: str, expected: list[str], words: str) -> None:
    findings = list(lint("odd", odd[0], layer, *odd[1:]))
    assert [f.cause for f in findings if f.verdict == "diverges"] == expected
    assert words in findings[0].note
    assert not any(f.fault for f in findings)


@pytest.mark.parametrize(("layer", "expected"), [("ignored", ["independent_target"]), ("plain", [])])
def test_frozen_parameters_change_nothing(odd, layer: str, expected: list[str]) -> None:
    frozen = copy.deepcopy(odd[0]).requires_grad_(False)
    findings = list(lint("odd", frozen, layer, *odd[1:]))
    assert [f.cause for f in findings if f.verdict == "diverges"] == expected


def test_a_layer_of_which_nothing_is_odd_is_one_green_line(odd) -> None:
    assert [(f.check, f.verdict) for f in lint("odd", odd[0], "plain", *odd[1:])] == [("linter", "agrees")]


def test_looking_leaves_nothing_behind(odd) -> None:
    model = odd[0]
    model.train()
    list(lint("odd", model, "overwritten", *odd[1:]))
    assert all(m.training for m in model.modules())
    assert not any(m._forward_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())
    model.eval()


def test_an_unknown_layer_is_answered_with_the_nearest(odd) -> None:
    with pytest.raises(ValueError, match="did you mean plain"):
        list(lint("odd", odd[0], "plane", *odd[1:]))

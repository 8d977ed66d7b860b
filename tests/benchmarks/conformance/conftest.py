"""Small networks on which reference libraries are compared quickly."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.causes import Evidence
from heatmark.benchmarks.conformance.reference_libraries import PAIRS, bench_of, gather
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing


def vgg_like() -> nn.Sequential:
    """Layer ``3`` is followed by an in-place ReLU, layer ``4`` by nothing of the kind."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 5),
    )


class Tokens(nn.Module):
    """A transformer on 4-pixel patches, with a class token before them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.class_token = nn.Parameter(torch.randn(1, 1, 8))
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.norm(torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1))
        mixed = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return self.head((tokens + mixed)[:, 0])


@pytest.fixture
def build() -> Callable[..., nn.Module]:
    """Build a network, always with the same random weights."""

    def make(kind: str = "vgg_like") -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return {"vgg_like": vgg_like, "tokens": Tokens}[kind]().eval()

    return make


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets() -> Tensor:
    return torch.tensor([1, 4])


@pytest.fixture
def evidence(build, images, targets) -> Callable[..., Evidence]:
    """Hold one of our methods against a library's, on a small network."""

    def hold(method, check, layer, model=None):
        (pair,) = (pair for pair in PAIRS if (pair.name, pair.library.name) == (method, check))
        model = model or build()
        classifier = Classifier("net", model, "random-0", Preprocessing())
        return gather(bench_of(classifier, images, targets, layer), pair)

    return hold

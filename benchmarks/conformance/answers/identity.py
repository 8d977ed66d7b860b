"""Known answers of what a finished trial is known by: whatever changes a number changes its key, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.sweep.cells import trials
from heatmark.benchmarks.sweep.degenerate import degeneracies
from heatmark.benchmarks.sweep.shard import Batch, Shard
from heatmark.common.resize import upsample
from heatmark.methods.base import Method


@dataclass(frozen=True)
class Configured(Method):
    """A method that only has options."""

    power: float = 1.0
    seed: int = 0
    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Raise: no key needs a map."""
        raise NotImplementedError


@dataclass(frozen=True)
class Another(Configured):
    """Another implementation, of the same name and options in a table."""


def identity_answers() -> Iterator[Finding]:
    """Yield whether keys tell apart what differs, and what maps are once they are upsampled."""
    network = nn.BatchNorm2d(3).eval()
    whole = Batch(["a", "b"], torch.zeros(2, 3, 2, 2), torch.tensor([0, 1]), torch.zeros(2, 2, 2, dtype=torch.bool))
    shard = Shard(Classifier("net", network, "own", Preprocessing()), "toys", whole, torch.tensor([0, 1]), {"a": 1})
    (key,) = _keys(shard, Configured())
    others = {
        "masks": _keys(replace(shard, batch=replace(whole, masks=torch.ones(2, 2, 2, dtype=torch.bool))), Configured()),
        "labels": _keys(replace(shard, batch=replace(whole, labels=torch.tensor([1, 1]))), Configured()),
        "targets": _keys(replace(shard, targets=torch.tensor([1, 1])), Configured()),
        "settings": _keys(replace(shard, settings={"a": 2}), Configured()),
        "seed": _keys(shard, Configured(seed=1)),
        "class": _keys(shard, Another()),
        "layer": _keys(shard, Configured(), "y"),
    }
    same = [name for name, keys in others.items() if keys == [key]]
    yield holds("key", "changes", f"the key is the same with another {', '.join(same)}" if same else "")
    yield holds("key", "batch_size", "" if _keys(shard, Configured(batch_size=3)) == [key] else "it changes the key")
    yield answer("trials", "layer_named_twice", len(_keys(shard, Configured(), "x", "x")), 1)
    network.get_buffer("running_mean").add_(1)
    yield holds(
        "key", "buffers", "statistics of batch norm do not change it" if _keys(shard, Configured()) == [key] else ""
    )
    yield from _maps()


def _keys(shard: Shard, method: Method, *layers: str) -> list[str]:
    return [trial.key for trial in trials({"m": method}, layers or ("x",), shard.identity())]


def _maps() -> Iterator[Finding]:
    """Yield a map of two cells on four pixels, by hand, and what is wrong with one that is infinite."""
    wide = upsample(torch.tensor([[[0.0, 1.0]]]), (1, 4))[0, 0].tolist()
    for pixel, right in enumerate((0.0, 0.25, 0.75, 1.0)):
        yield answer("upsample", f"pixel_{pixel}", wide[pixel], right)
    said = degeneracies(torch.tensor([[[torch.inf, 1.0]], [[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 2.0]]]))
    right_words = ["not finite", "constant", "all zero", ""]
    yield holds("degeneracies", "by_hand", "" if said == right_words else f"{said}, right is {right_words}")

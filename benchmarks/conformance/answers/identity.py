"""Known answers of the keys of cells: whatever changes a number changes the key, and nothing else does."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.sweep.cells import cells
from heatmark.benchmarks.sweep.degenerate import degeneracies
from heatmark.benchmarks.sweep.images import ImageSet
from heatmark.benchmarks.sweep.job import Job
from heatmark.common.resize import upsample
from heatmark.methods.base import Method


@dataclass(frozen=True)
class Configured(Method):
    """A method that has options and no map."""

    power: float = 1.0
    seed: int = 0
    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Raise: no key needs a map."""
        raise NotImplementedError


@dataclass(frozen=True)
class Another(Configured):
    """A second implementation, with the same name and options in a table."""


def identity_answers() -> Iterator[Finding]:
    """Yield whether keys differ where they must, and whether upsampled and degenerate maps are right."""
    network = nn.BatchNorm2d(3).eval()
    whole = ImageSet(["a", "b"], torch.zeros(2, 3, 2, 2), torch.tensor([0, 1]), torch.zeros(2, 2, 2, dtype=torch.bool))
    job = Job(Classifier("net", network, "own", Preprocessing()), "toys", whole, torch.tensor([0, 1]), {"a": 1})
    (key,) = _keys(job, Configured())
    others = {
        "masks": _keys(
            replace(job, image_set=replace(whole, masks=torch.ones(2, 2, 2, dtype=torch.bool))), Configured()
        ),
        "labels": _keys(replace(job, image_set=replace(whole, labels=torch.tensor([1, 1]))), Configured()),
        "targets": _keys(replace(job, targets=torch.tensor([1, 1])), Configured()),
        "settings": _keys(replace(job, settings={"a": 2}), Configured()),
        "seed": _keys(job, Configured(seed=1)),
        "class": _keys(job, Another()),
        "layer": _keys(job, Configured(), "y"),
    }
    same = [name for name, keys in others.items() if keys == [key]]
    yield holds("key", "changes", f"the key is the same with another {', '.join(same)}" if same else "")
    yield holds("key", "batch_size", "" if _keys(job, Configured(batch_size=3)) == [key] else "it changes the key")
    yield answer("cells", "layer_named_twice", len(_keys(job, Configured(), "x", "x")), 1)
    network.get_buffer("running_mean").add_(1)
    yield holds(
        "key", "buffers", "statistics of batch norm do not change it" if _keys(job, Configured()) == [key] else ""
    )
    yield from _maps()


def _keys(job: Job, method: Method, *layers: str) -> list[str]:
    return [cell.key for cell in cells({"m": method}, layers or ("x",), job.identity())]


def _maps() -> Iterator[Finding]:
    """Yield a map of two values upsampled to four pixels, by hand, and the reasons of degenerate maps."""
    wide = upsample(torch.tensor([[[0.0, 1.0]]]), (1, 4))[0, 0].tolist()
    for pixel, right in enumerate((0.0, 0.25, 0.75, 1.0)):
        yield answer("upsample", f"pixel_{pixel}", wide[pixel], right)
    said = degeneracies(torch.tensor([[[torch.inf, 1.0]], [[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 2.0]]]))
    right_words = ["not finite", "constant", "all zero", ""]
    yield holds("degeneracies", "by_hand", "" if said == right_words else f"{said}, right is {right_words}")

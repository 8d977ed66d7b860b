"""Known answers of the keys of cells: whatever changes a number changes the key, and nothing else does."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.sweep.cells import cells
from heatmark.benchmarks.sweep.degenerate import degeneracies
from heatmark.benchmarks.sweep.keys import model_key
from heatmark.common.resize import upsample
from heatmark.methods.base import Method

DEFAULT = Preprocessing()


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
    key = _key(network, Configured())
    others = {
        "preprocessing": _key(network, Configured(), preprocessing=Preprocessing(mean=(0, 0, 0))),
        "precision": _key(network, Configured(), precision="bf16"),
        "device": _key(network, Configured(), device="cuda"),
        "seed": _key(network, Configured(seed=1)),
        "class": _key(network, Another()),
        "layer": _key(network, Configured(), "y"),
    }
    same = [name for name, other in others.items() if other == key]
    yield holds("key", "changes", f"the key is the same with another {', '.join(same)}" if same else "")
    yield holds("key", "batch_size", "" if _key(network, Configured(batch_size=3)) == key else "it changes the key")
    yield answer("cells", "layer_named_twice", len(list(cells({"m": Configured()}, ("x", "x"), "model"))), 1)
    entry = Entry("a", "d", target=1, inputs={"masks": "m"})
    rows = {
        "image": replace(entry, digest="e"),
        "target": replace(entry, target=2),
        "mask": replace(entry, inputs={"masks": "n"}),
    }
    alike = [name for name, other in rows.items() if other.row(["masks"]) == entry.row(["masks"])]
    yield holds("row", "changes", f"the row is the same with another {', '.join(alike)}" if alike else "")
    named = [replace(entry, image="b"), replace(entry, label="c"), replace(entry, position=7)]
    unlike = [other for other in named if other.row(["masks"]) != entry.row(["masks"])]
    yield holds("row", "names", f"the row differs with {unlike[0]}" if unlike else "")
    network.get_buffer("running_mean").add_(1)
    yield holds(
        "key", "buffers", "statistics of batch norm do not change it" if _key(network, Configured()) == key else ""
    )
    yield from _maps()


def _key(
    network: nn.Module, method: Method, layer: str = "x", *, preprocessing: Preprocessing = DEFAULT,
    precision: str = "fp32", device: str = "cpu",
) -> str:  # fmt: skip
    """Return the key of a method's maps at a layer of a network."""
    classifier = Classifier("net", network, "own", preprocessing)
    (cell,) = cells({"m": method}, [layer], model_key(classifier, classifier.network_digest(), precision, device))
    return cell.key


def _maps() -> Iterator[Finding]:
    """Yield a map of two values upsampled to four pixels, by hand, and the reasons of degenerate maps."""
    wide = upsample(torch.tensor([[[0.0, 1.0]]]), (1, 4))[0, 0].tolist()
    for pixel, right in enumerate((0.0, 0.25, 0.75, 1.0)):
        yield answer("upsample", f"pixel_{pixel}", wide[pixel], right)
    said = degeneracies(torch.tensor([[[torch.inf, 1.0]], [[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 2.0]]]))
    right_words = ["not finite", "constant", "all zero", ""]
    yield holds("degeneracies", "by_hand", "" if said == right_words else f"{said}, right is {right_words}")

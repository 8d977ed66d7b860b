"""A small sweep for tests: pictures in memory, a small network, and what the store holds afterwards, image by image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from heatmark.benchmarks import api, requests
from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.requests import Entry, Request
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.methods.base import Method
from heatmark.metrics.base import Explained, Metric, Scores

NAN = float("nan")
PLAIN = Preprocessing(resize=None, crop=None, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


@dataclass(frozen=True)
class Toys(Dataset):
    """Pictures (N, H, W, 3) of 8 bits; labels, masks, groups and what raises, by the picture's position."""

    pictures: NDArray[np.uint8]
    labels: Sequence[int | None] = ()
    masks: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    groups: Mapping[int, str] = field(default_factory=dict)
    broken: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.pictures)

    def name_of(self, index: int) -> str:
        return f"{index}.png"

    def __getitem__(self, index: int) -> Sample:
        if index in self.broken:
            raise ValueError(f"cannot read {index}.png")
        label = self.labels[index] if self.labels else None
        mask = self.masks.get(index)
        objects = () if mask is None or label is None else ((label, mask),)
        picture = Image.fromarray(self.pictures[index])
        return Sample(self.name_of(index), picture, label, objects=objects, group=self.groups.get(index))


def toys(count: int = 7, size: tuple[int, int] = (12, 10), seed: int = 4, **facts: Any) -> Toys:
    """Return pictures that differ much from one another, labelled 0, 1, 2, 3, 0, …."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 120, (count, *size, 3)) + rng.integers(0, 130, (count, 1, 1, 3))
    labels = tuple(n % 4 for n in range(count))
    return Toys(pictures.astype(np.uint8), **({"labels": labels} | facts))


def classifier(seed: int = 4, module: nn.Module | None = None) -> Classifier:
    """Return a network of four classes whose probabilities differ much by image and class."""
    if module is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = nn.Sequential(
                nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)
            )
            nn.init.normal_(module[4].weight, std=2)
    return Classifier("net", module.eval(), f"random-{seed}", PLAIN, {"last": "0"})


@dataclass(frozen=True)
class Red(Method):
    """A method whose map is the image's red channel."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images[:, 0]


@dataclass(frozen=True)
class Aimed(Method):
    """A method whose map depends on the image and on the target."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images[:, 0] * (1 + targets.view(-1, 1, 1)) + images[:, 1]


@dataclass(frozen=True)
class Mean(Metric):
    """A metric that costs no pass: the mean of the map."""

    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(batch.maps.flatten(1).mean(1))


class Notes(list[int]):
    """Numbers that a method of a test notes; their values are no part of the method's identity."""

    def __reduce_ex__(self, protocol: object) -> str:
        return "notes"


def counting(calls: Notes, before: Callable[[Tensor], None] = lambda images: None) -> Method:
    """Return a method whose map is the red channel; it notes the size of each batch and calls ``before``."""

    @dataclass(frozen=True)
    class Counting(Red):
        def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            calls.append(len(images))
            before(images)
            return images[:, 0]

    return Counting()


class Forwards:
    """The number of images that went through a network."""

    def __init__(self, module: nn.Module) -> None:
        self.images = 0
        module.register_forward_hook(self._count)

    def _count(self, _module: nn.Module, inputs: tuple[Tensor, ...], _output: object) -> None:
        self.images += len(inputs[0])


def swept(
    root: Path,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    dataset: Dataset | None = None,
    model: Classifier | None = None,
    given: Mapping[str, Any] | None = None,
    started: float | None = None,
    **options: Any,
) -> "Found":
    """Run a sweep into a folder and return what it left."""
    asked = SweepSettings(**({"device": "cpu", "batch_size": 2, "timing": False, "block_size": 3} | options))
    record = JobRecord(root, given or {"model": "net", "dataset": "toys"}, "net", asked.shard, started=started)
    api.sweep(model or classifier(), dataset or toys(), methods, metrics, asked, record)
    return Found(root)


@dataclass(frozen=True)
class Found:
    """What a run of one job holds."""

    root: Path

    @property
    def request(self) -> Request:
        (request,) = requests.current(self.root)
        return request

    @property
    def entries(self) -> Sequence[Entry]:
        return self.request.entries

    def cell(self, method: str, layer: str | None = None) -> str:
        (key,) = [c.key for c in self.request.cells if c.method == method and layer in (None, c.layer)]
        return key

    def rows(self, artefact: str, key: str, needs: Sequence[str] = ()) -> list[dict[str, Any] | None]:
        """Return each picture's row, None where there is none."""
        found = {row["row"]: row for row in told(Store(self.root).read(artefact, [key]))}
        return [found.get(entry.row(needs)) for entry in self.entries]

    def maps(self, method: str, layer: str | None = None) -> list[dict[str, Any] | None]:
        return self.rows("maps", self.cell(method, layer))

    def scores(self, method: str, metric: str, layer: str | None = None) -> list[dict[str, Any] | None]:
        cell = self.cell(method, layer)
        (asked,) = [s for s in self.request.scores if (s.cell, s.metric) == (cell, metric)]
        (needs,) = [m.needs for m in self.request.metrics if m.name == metric]
        return self.rows("scores", asked.key, needs)

    def values(self, method: str, metric: str, layer: str | None = None) -> list[float]:
        rows = self.scores(method, metric, layer)
        return [float("nan") if row is None or row["value"] is None else row["value"] for row in rows]

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows that the request asks for, by artefact, so that two runs can be compared to the bit."""
        keys = {
            "predictions": [self.request.predictions],
            "maps": [cell.key for cell in self.request.cells],
            "curves": [s.curve for s in self.request.scores if s.curve],
            "scores": [s.key for s in self.request.scores if s.key],
        }
        return {name: told(Store(self.root).read(name, wanted)) for name, wanted in keys.items()}


def told(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows as plain values; a NaN is always the same object, so that equal rows are equal."""
    return [
        {name: NAN if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]


def array(row: dict[str, Any] | None) -> NDArray[np.float32]:
    """Return the map of a row."""
    assert row is not None
    return np.frombuffer(row["map"], np.float32).reshape(row["height"], row["width"])

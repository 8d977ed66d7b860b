"""The interface of every metric, and the batch of explained images that a metric reads."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(model, images, targets) -> maps (N, H, W): the method itself, for metrics that need further maps."""


@dataclass(frozen=True)
class Explained:
    """A batch of explained images: everything that a metric may read.

    Args:
        model: the classifier in evaluation mode, from images (N, 3, H, W) to logits (N, classes).
        images: (N, 3, H, W), normalised as the model expects them.
        targets: (N,) class indices.
        maps: (N, H, W), the raw maps upsampled to the images; any real range, NaN where undefined.
        masks: (N, H, W) booleans, true at the object's pixels; None if the dataset has none.
        explain: computes maps (N, H, W) again, for another model or other images.
        batch_size: number of images that go through the model at once; it changes speed, never a value.
    """

    model: nn.Module
    images: Tensor
    targets: Tensor
    maps: Tensor
    masks: Tensor | None
    explain: Explain
    has_mask: Tensor | None = None
    ignore: Tensor | None = None
    labels: Tensor | None = None
    counterfactuals: Tensor | None = None
    normalisation: object = None
    seed: int = 0
    batch_size: int = 16


@dataclass(frozen=True)
class Curve:
    x: Tensor
    y: Tensor
    axis: str


@dataclass(frozen=True)
class Scores:
    values: Tensor
    reasons: object = ()
    curve: Curve | None = None


class Metric(ABC):
    version: ClassVar[int] = 1
    higher_is_better: ClassVar[bool | None]
    needs: ClassVar[frozenset[str]] = frozenset()
    draws: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    beside: ClassVar[frozenset[str]] = frozenset()
    speed_only: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def __call__(self, batch: Explained) -> Scores: ...


class Derived(Metric):
    @property
    def terms(self) -> Mapping[str, float]: ...


class Path(ABC):
    @abstractmethod
    def curve(self, batch: Explained) -> Curve: ...


class CurveMetric(Metric):
    path: Path
    bounds: tuple = ()

    @abstractmethod
    def summarise(self, curve: Curve) -> Scores: ...

    def __call__(self, batch: Explained) -> Scores:
        return self.summarise(self.path.curve(batch))

"""The one interface of every metric, and all that a metric may read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(model, images, targets) -> maps (N, H, W): the explanation itself, for metrics that ask for it again."""


@dataclass(frozen=True)
class Explained:
    """A batch of images with their maps, and the means to ask more.

    Args:
        model: the classifier in evaluation mode, images (N, 3, H, W) to logits (N, classes).
        images: (N, 3, H, W), normalised as the model wants them.
        targets: (N,) class indices.
        maps: (N, H, W), the raw maps upsampled to the images; any real range, NaN where undefined.
        masks: (N, H, W) booleans, the object's pixels; None where the dataset has none.
        explain: computes maps (N, H, W) again, for another model or other images.
        batch_size: how many images the model takes at once; changes speed, never a value.
    """

    model: nn.Module
    images: Tensor
    targets: Tensor
    maps: Tensor
    masks: Tensor | None
    explain: Explain
    batch_size: int = 16


class Metric(ABC):
    """A metric: subclasses are frozen dataclasses whose fields are its definition."""

    higher_is_better: ClassVar[bool]
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Protocols by name, each the values of its options; the field ``preset``, where there is one, is such a name."""
    beside: ClassVar[frozenset[str]] = frozenset()
    """Fields that ask for more numbers beside the value and never change the value."""
    speed_only: ClassVar[frozenset[str]] = frozenset()
    """Fields that change speed and memory, never a number; they are no part of what a metric measures."""

    @abstractmethod
    def __call__(self, batch: Explained) -> Tensor:
        """Return one number an image, (N,), NaN where undefined."""

    def tie_bounds(self, batch: Explained, values: Tensor) -> Tensor | None:  # noqa: ARG002
        """Return the smallest and the largest value found under other orders of ties, (N, 2).

        None where the metric is not asked for them, or knows no ties.

        Args:
            case: what was scored.
            values: (N,), what this metric said of it.
        """
        return None


@dataclass(frozen=True)
class Curves:
    """A score along a path of perturbations.

    Args:
        fractions: (K,), the part of pixels perturbed, from 0 to 1.
        scores: (N, K), the target's probability at each point; NaN for an image whose map has no order.
    """

    fractions: Tensor
    scores: Tensor


class CurveMetric(Metric):
    """A metric that sums up a curve; whoever wants both computes the curve once."""

    @abstractmethod
    def curves(self, batch: Explained) -> Curves:
        """Return the curve of every image."""

    @abstractmethod
    def summary(self, curves: Curves) -> Tensor:
        """Return the number that a curve stands for, (N,)."""

    def __call__(self, batch: Explained) -> Tensor:
        """Return the summary of every image's curve, (N,)."""
        return self.summary(self.curves(batch))

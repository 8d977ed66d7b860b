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
    batch_size: int = 16


class Metric(ABC):
    """A metric; subclasses are frozen dataclasses whose fields are the options that define it."""

    version: ClassVar[int] = 1
    """Stated and raised in the class whose numbers someone changes: outdates that class and its subclasses alone."""
    higher_is_better: ClassVar[bool]
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Published protocols: name -> values of options. The field ``preset``, if there is one, is such a name."""
    beside: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that request further numbers and never change the metric's value."""
    speed_only: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that change speed and memory but no number; they are no part of the metric's definition."""

    @abstractmethod
    def __call__(self, batch: Explained) -> Tensor:
        """Return one number per image, (N,); NaN where undefined."""

    def tie_bounds(self, batch: Explained, values: Tensor) -> Tensor | None:  # noqa: ARG002
        """Return the smallest and the largest value found under other orders of equally relevant pixels, (N, 2).

        None if they are not requested, or the metric does not depend on such an order.

        Args:
            batch: the explained images that were scored.
            values: (N,), this metric's values of them.
        """
        return None


@dataclass(frozen=True)
class Curves:
    """The target's probability as a function of the fraction of perturbed pixels.

    Args:
        fractions: (K,), the fraction of pixels perturbed, from 0 to 1.
        scores: (N, K), the target's probability at each point; NaN for an image whose map has no order.
    """

    fractions: Tensor
    scores: Tensor


class CurveMetric(Metric):
    """A metric whose value is a summary of a curve; the curve can be computed once and used for both."""

    @abstractmethod
    def curves(self, batch: Explained) -> Curves:
        """Return the curve of every image."""

    @abstractmethod
    def summary(self, curves: Curves) -> Tensor:
        """Return each curve's summary, which is the metric's value, (N,)."""

    def __call__(self, batch: Explained) -> Tensor:
        """Return the summary of every image's curve, (N,)."""
        return self.summary(self.curves(batch))

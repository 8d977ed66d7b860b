"""Complexity: how a map's relevance is spread, whatever it lies on."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.per_image import NOT_FINITE, judged, not_finite, precise, reasons_of

ALL_ZERO = "all relevance is zero"


@dataclass(frozen=True)
class Complexity(Metric):
    """The base class of metrics that describe a map by itself, without a forward pass; they rank no methods.

    An image whose map contains NaN or infinite values has no value. A simpler map is no better explanation: a map that
    is zero but for one pixel at random is as simple as a map can be.
    """

    higher_is_better: ClassVar[bool | None] = None
    undefined: ClassVar[str] = ALL_ZERO
    """The reason of a value that :meth:`described` gives as NaN."""

    @abstractmethod
    def described(self, maps: Tensor) -> Tensor:
        """Return one number per image, (n,), NaN where undefined, for finite maps (n, H, W) in float64."""

    def __call__(self, batch: Explained) -> Scores:
        """Return one number per image; NaN, with the reason, where undefined."""
        reasons = reasons_of([(not_finite(batch.maps), NOT_FINITE)])
        return judged(batch.maps, reasons, lambda where: self.described(precise(batch.maps[where])), self.undefined)

    def passes(self, image_size: tuple[int, int]) -> float | None:  # noqa: ARG002
        """Return 0: no image goes through the model."""
        return 0.0


def magnitudes(maps: Tensor) -> Tensor:
    """Return the absolute values of maps (n, H, W), one row per image, (n, H·W)."""
    return maps.flatten(1).abs()

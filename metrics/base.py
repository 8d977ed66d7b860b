"""The interface of every metric, the batch of explained images that a metric reads, and what it gives."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(model, images, targets) -> maps (N, H, W): the method itself, for metrics that need further maps."""

Needed = Literal["masks", "labels", "counterfactuals"]
"""What a metric may need of the data beside the images."""


@dataclass(frozen=True)
class Explained:
    """A batch of explained images: everything that a metric may read.

    Args:
        model: the classifier in evaluation mode, from images (N, 3, H, W) to logits (N, classes).
        images: (N, 3, H, W), normalised as the model expects them.
        targets: (N,) class indices.
        maps: (N, H, W), the raw maps upsampled to the images; any real range, NaN where undefined.
        masks: (N, H, W) booleans, true at the pixels of the explained class; None if the dataset has none.
        explain: computes maps (N, H, W) again, for another model or other images.
        has_mask: (N,) whether an image has the explained class's mask; None if the dataset has none.
        ignore: (N, H, W) booleans, pixels that belong to nobody; None if there are none.
        labels: (N,) the true class, −1 where unknown; None if the dataset has none.
        counterfactuals: (N, 3, H, W), the same pictures without their objects; None if the dataset has none.
        normalisation: mean and standard deviation of the channels in [0, 1], (3,) each, so that a metric can say black:
            (0 − mean) / std. None where unknown.
        seed: the run's seed, for metrics that draw.
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
    normalisation: tuple[Tensor, Tensor] | None = None
    seed: int = 0
    batch_size: int = 16


@dataclass(frozen=True)
class Curve:
    """A number of each image as a function of how far it has been changed.

    Args:
        x: (K,) or (N, K), how far; in [0, 1] for fractions.
        y: (N, K), the number; NaN for an image without a curve, because its map has no order.
        axis: what ``x`` is, such as ``fraction replaced``.
    """

    x: Tensor
    y: Tensor
    axis: str


@dataclass(frozen=True)
class Scores:
    """A metric's numbers of a batch.

    Args:
        values: (N,), NaN where undefined.
        reasons: why a value is NaN, one text per image, ``""`` where it is defined; empty where no reason is given.
        curve: the curve that the values sum up; None without one.
    """

    values: Tensor
    reasons: Sequence[str] = ()
    curve: Curve | None = None


class Metric(ABC):
    """A metric; subclasses are frozen dataclasses whose fields are the options that define it."""

    version: ClassVar[int] = 1
    """Raised by whoever changes the numbers of this class; it outdates this class and its subclasses alone."""
    higher_is_better: ClassVar[bool | None]
    """None for a descriptive metric, which is never ranked."""
    needs: ClassVar[frozenset[Needed]] = frozenset()
    """What it needs of the data; an image that lacks it has no value, with that reason."""
    draws: ClassVar[bool] = False
    """Whether it draws at random from ``Explained.seed``."""
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Published protocols: name -> values of options. The field ``preset``, if there is one, is such a name."""
    speed_only: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that change speed and memory but no number; they are no part of the metric's definition."""

    @abstractmethod
    def __call__(self, batch: Explained) -> Scores:
        """Return one number per image; NaN where undefined."""


class Path(ABC):
    """What is changed in an image and how, in the order of a map; subclasses are frozen dataclasses.

    Two equal paths give one curve, which is computed once for all metrics that sum it up.
    """

    version: ClassVar[int] = 1
    """Raised by whoever changes the curves of this class."""
    speed_only: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that change speed and memory but no number."""

    @abstractmethod
    def curve(self, batch: Explained) -> Curve:
        """Return the curve of every image; NaN for an image whose map holds NaN."""


class CurveMetric(Metric):
    """A metric that sums up the curve along a path; it makes no pass of its own."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """The path along which the curve is computed."""

    @property
    def bounds(self) -> Sequence[Path]:
        """Further paths, such as other orders of ties: the value's bounds are the extremes of all summaries."""
        return ()

    @abstractmethod
    def summarise(self, curve: Curve) -> Scores:
        """Return each curve's summary, which is the metric's value."""

    def __call__(self, batch: Explained) -> Scores:
        """Return the summary of every image's curve."""
        return self.summarise(self.path.curve(batch))


class Derived(Metric):
    """A weighted sum of other metrics' values of the same image, made from a run's table and never by a model."""

    @property
    @abstractmethod
    def terms(self) -> Mapping[str, float]:
        """Factor by the name of the other metric."""

    def __call__(self, batch: Explained) -> Scores:  # noqa: ARG002
        """Raise, because it is not computed from images.

        Raises:
            ValueError: always.
        """
        names = ", ".join(self.terms)
        raise ValueError(f"{type(self).__name__} is made from the values of {names} when a run is gathered")

"""The interface of every metric, and the batch of explained images that a metric reads."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
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

    higher_is_better: ClassVar[bool]
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Published protocols: name -> values of options. The field ``preset``, if there is one, is such a name."""
    beside: ClassVar[frozenset[str]] = frozenset()
    """Fields that ask for more numbers beside the value and never change the value."""

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


def definition(name: str, metric: object) -> str:
    """Return the id of what this metric measures: its name, its preset, and every value that differs from the preset's.

    ``deletion:rise-2018`` is the preset itself, ``deletion:rise-2018[baseline=mean,steps=28]`` departs from it.
    Rows of different definitions are never averaged together.
    """
    preset = getattr(metric, "preset", "")
    changed = [f"{option}={value}" for option, value in _changed(name, metric) if option not in _beside(metric)]
    return name + (f":{preset}" if preset else "") + (f"[{','.join(changed)}]" if changed else "")


def request(name: str, metric: object) -> str:
    """Return all that is asked of a metric: its definition, and what it is to give beside the value.

    ``deletion:rise-2018 with tie_orders=8`` has the value of ``deletion:rise-2018``, and numbers that the latter lacks.
    """
    more = [f"{option}={value}" for option, value in _changed(name, metric) if option in _beside(metric)]
    return definition(name, metric) + (f" with {','.join(more)}" if more else "")


def _beside(metric: object) -> frozenset[str]:
    return getattr(metric, "beside", frozenset())


def _changed(name: str, metric: object) -> list[tuple[str, object]]:
    """Return every option, sorted by name, that differs from the preset's value, or from the default."""
    if not is_dataclass(metric):
        raise ValueError(f"metric {name!r} is a {type(metric).__name__}, expected a frozen dataclass")
    presets: Mapping[str, Mapping[str, object]] = getattr(metric, "presets", {})
    preset = presets.get(getattr(metric, "preset", ""), {})
    usual: dict[str, object] = {**{f.name: f.default for f in fields(metric) if f.name != "preset"}, **preset}
    values = ((option, getattr(metric, option)) for option in sorted(usual))
    return [(option, value) for option, value in values if usual[option] is MISSING or value != usual[option]]

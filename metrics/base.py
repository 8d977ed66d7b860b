"""The one interface of every metric, and all that a metric may read."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import ClassVar

from torch import Tensor, nn

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(model, images, targets) -> maps (N, H, W): the explanation itself, for metrics that ask for it again."""


@dataclass(frozen=True)
class Case:
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

    @abstractmethod
    def __call__(self, case: Case) -> Tensor:
        """Return one number an image, (N,), NaN where undefined."""


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
    def curves(self, case: Case) -> Curves:
        """Return the curve of every image."""

    @abstractmethod
    def summary(self, curves: Curves) -> Tensor:
        """Return the number that a curve stands for, (N,)."""

    def __call__(self, case: Case) -> Tensor:
        """Return the summary of every image's curve, (N,)."""
        return self.summary(self.curves(case))


def definition(name: str, metric: object) -> str:
    """Return the id of what this metric measures: its name, its preset, and every field that differs from it.

    ``deletion:rise-2018`` is the preset itself, ``deletion:rise-2018[baseline=mean,steps=28]`` departs from it.
    Rows of different definitions are never averaged together.
    """
    if not is_dataclass(metric):
        raise ValueError(f"metric {name!r} is a {type(metric).__name__}, expected a frozen dataclass")
    changed = [
        f"{f.name}={getattr(metric, f.name)}"
        for f in sorted(fields(metric), key=lambda f: f.name)
        if f.name != "preset" and (f.default is MISSING or getattr(metric, f.name) != f.default)
    ]
    preset = getattr(metric, "preset", "")
    return name + (f":{preset}" if preset else "") + (f"[{','.join(changed)}]" if changed else "")

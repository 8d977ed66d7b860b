"""The interface of every metric, and the batch of explained images that a metric reads."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeGuard

from torch import Tensor, nn

from heatmark.metrics.engine.known_scores import KnownScores, Place

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(model, images, targets) -> maps (N, H, W): the method itself, for metrics that need further maps."""

Need = Literal["masks", "labels", "counterfactuals"]
"""What a dataset may lack: a metric that needs it has no value for an image without it."""

NO_COUNTERFACTUAL = "the image has no counterfactual"


@dataclass(frozen=True)
class Explained:
    """A batch of explained images: everything that a metric may read.

    Args:
        model: the classifier in evaluation mode, from images (N, C, H, W) to logits (N, classes).
        images: (N, C, H, W), normalised as the model expects them.
        targets: (N,) indices of the classes explained.
        maps: (N, H, W), the raw maps upsampled to the images; any real range, NaN where undefined.
        masks: (N, H, W) booleans, true at the pixels of the class explained; None if the dataset has none.
        explain: computes maps (N, H, W) again, for another model or other images.
        has_mask: (N,) booleans, whether the image has a mask of the class explained; None if all have one, or none.
        ignore: (N, H, W) booleans, true at pixels that belong to no class; None if there are none.
        labels: (N,) indices of the true classes, −1 where unknown; None if the dataset has none.
        counterfactuals: (N, C, H, W), the images without the object of the class explained, NaN for an image that has
            none; None if there are none.
        normalisation: mean and standard deviation of the channels, each (C,): image = (colour − mean) / deviation, for
            colours in [0, 1]. None if unknown.
        seed: seed of what a metric draws.
        batch_size: number of images in every forward pass. The values of one batch size may differ from those of
            another by rounding.
        known: scores of these images' perturbed images that are known, to which new ones are added, so that equal ones
            are scored once; None if nothing is known. It changes speed, never a value.
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
    known: KnownScores | None = None


@dataclass(frozen=True)
class Curve:
    """A number per image as a function of how far something has gone, such as the perturbation of its pixels.

    Args:
        x: (K,), or (N, K) where each image has its own, ascending.
        y: (N, K), NaN for an image that has no curve.
        axis: what x is, such as ``fraction removed`` or ``fraction inserted``.
    """

    x: Tensor
    y: Tensor
    axis: str


@dataclass(frozen=True)
class Scores:
    """One number per image.

    Args:
        values: (N,), NaN where undefined.
        reasons: why a value is undefined, one text per image, ``""`` where it is defined; empty if nothing is said.
        curve: the curves that the values sum up, if there are any.
    """

    values: Tensor
    reasons: Sequence[str] = ()
    curve: Curve | None = None


class Metric(ABC):
    """A metric; subclasses are frozen dataclasses whose fields are the options that define it."""

    version: ClassVar[int] = 1
    """Raised by whoever changes the metric's numbers."""
    higher_is_better: ClassVar[bool | None]
    """The direction; None for a metric that describes maps and never ranks them."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """What an image must have to get a value; the digest of exactly this is part of its row's id."""
    draws: ClassVar[bool] = False
    """Whether the metric draws from ``Explained.seed``, which is then a part of its key."""
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Published protocols: name -> values of options. The field ``preset``, if there is one, is such a name."""
    beside: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that request further numbers and never change the value; no part of the definition."""
    speed_only: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that change speed and memory but no number; they are no part of the metric's definition."""
    once_per_image: ClassVar[bool] = False
    """Whether its forward passes are the same for every map of an image, so that a run makes them once."""

    @abstractmethod
    def __call__(self, batch: Explained) -> Scores:
        """Return one number per image; NaN where undefined."""

    def passes(self, image_size: tuple[int, int]) -> float | None:  # noqa: ARG002
        """Return the cost of one image's score in plain forward passes, for images (H, W); None if it is unknown.

        The maps that it asks for are no part of it: see :meth:`maps`.
        """
        return None

    def maps(self, image_size: tuple[int, int]) -> float | None:  # noqa: ARG002
        """Return how many further maps per image a score asks for, for images (H, W); None if it is unknown.

        What each costs is the method's to say.
        """
        return 0.0

    @property
    def asks(self) -> Hashable:
        """What the further maps are of, equal for metrics that ask for the same maps: a run computes these once."""
        return self


class Path(ABC):
    """What is perturbed, and how; subclasses are frozen dataclasses whose fields define it.

    Paths that are equal are one path, whose curve is computed once, whatever number of metrics sum it up.
    """

    version: ClassVar[int] = 1
    """Raised by whoever changes the path's numbers."""
    speed_only: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that change speed and memory but no number."""

    @property
    def needs(self) -> frozenset[Need]:
        """What an image must have to get a curve; the digest of exactly this is part of its row's id."""
        return frozenset()

    @abstractmethod
    def curve(self, batch: Explained) -> Curve:
        """Return the curve of every image; NaN for an image whose map gives no order, because it contains NaN.

        The batch is one :func:`without_annotations` that the path does not need, because a curve's row holds no other.
        """

    def passes(self, image_size: tuple[int, int]) -> float | None:  # noqa: ARG002
        """Return the cost of one image's curve in plain forward passes, for images (H, W); None if it is unknown."""
        return None

    def common(self, image_size: tuple[int, int]) -> Sequence[Place]:  # noqa: ARG002
        """Return the points of an image's curve that are the same for every map, for images (H, W).

        A run scores equal ones once per image: see :func:`~heatmark.metrics.engine.known_scores.place_of`, whose first
        entry, the image, is left out.
        """
        return ()


class CurveMetric(Metric):
    """A metric whose value sums up a curve; the curve of its path can be computed once for many metrics."""

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override]  # of its options, where other metrics' are fixed
        """What its paths need, and nothing else: the value is computed from curves alone."""
        return frozenset[Need]().union(*(path.needs for path in (self.path, *self.bounds)))

    @property
    @abstractmethod
    def path(self) -> Path:
        """The path whose curve is summed up."""

    @property
    def bounds(self) -> Sequence[Path]:
        """Further paths, such as other orders of ties: the sums over their curves and the value give its bounds."""
        return ()

    @abstractmethod
    def summarise(self, curve: Curve) -> Scores:
        """Return the sum of every image's curve, computed from the curve alone."""

    def __call__(self, batch: Explained) -> Scores:
        """Return the sum of every image's curve, and the curves."""
        curve = self.path.curve(without_annotations(batch, self.path.needs))
        scores = self.summarise(curve)
        if "counterfactuals" in self.needs:
            pairs = zip(_lacking_counterfactual(batch), scores.reasons or [""] * len(batch.maps), strict=True)
            scores = replace(scores, reasons=[NO_COUNTERFACTUAL if lacking else why for lacking, why in pairs])
        return replace(scores, curve=curve)

    def passes(self, image_size: tuple[int, int]) -> float | None:
        """Return the cost of an image's curves, each path counted once; None if that of any is unknown."""
        known = [path.passes(image_size) for path in dict.fromkeys((self.path, *self.bounds))]
        return None if None in known else sum(cost for cost in known if cost is not None)


def _lacking_counterfactual(batch: Explained) -> list[bool]:
    found = batch.counterfactuals
    return [True] * len(batch.maps) if found is None else found.flatten(1).isnan().any(dim=1).tolist()


def sums_up_curves(metric: Metric) -> TypeGuard[CurveMetric]:
    """Return whether a metric's values are its :meth:`CurveMetric.summarise` of curves that others may share, too.

    A subclass with a call or needs of its own may do more than that.
    """
    own: tuple[object, object] = type(metric).__call__, type(metric).needs
    return isinstance(metric, CurveMetric) and own == (CurveMetric.__call__, CurveMetric.needs)


def without_annotations(batch: Explained, but: Collection[Need] = ()) -> Explained:
    """Return a batch without masks, labels and counterfactuals, and with the seed 0, as a path reads it.

    Args:
        batch: the batch.
        but: those of them that the path needs, and that stay.
    """
    none = replace(batch, masks=None, has_mask=None, ignore=None, labels=None, counterfactuals=None, seed=0)
    if "masks" in but:
        none = replace(none, masks=batch.masks, has_mask=batch.has_mask, ignore=batch.ignore)
    return replace(
        none,
        labels=batch.labels if "labels" in but else None,
        counterfactuals=batch.counterfactuals if "counterfactuals" in but else None,
    )


class Derived(Metric):
    """A metric that is a function of other metrics' values of the same image and map.

    value = Σ factor · (value of the other metric)

    It is computed from tables, never by a model.
    """

    @property
    @abstractmethod
    def terms(self) -> Mapping[str, float]:
        """The factor of each other metric, by the metric's name in the tables."""

    def __call__(self, batch: Explained) -> Scores:  # noqa: ARG002
        """Raise a ValueError: a derived metric has no value of its own for a batch."""
        raise ValueError(
            f"{type(self).__name__} is derived from the scores under {', '.join(self.terms)}: it is computed in a "
            "run's tables, never from a batch of images"
        )

    def passes(self, image_size: tuple[int, int]) -> float | None:  # noqa: ARG002
        """Return 0: it is computed in tables."""
        return 0.0

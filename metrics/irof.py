"""Iterative removal of features, IROF."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.base import Curve, CurveMetric, Scores
from heatmark.metrics.engine.per_image import precise
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.engine.summaries import area, summed

NO_SCORE = "the target's probability is 0 for the image itself"
TOO_SMALL = "the target's probability is so small for the image itself that the ratio is infinite"


@dataclass(frozen=True)
class IROF(CurveMetric):
    """Iterative removal of features: the area over the relative score while segments are removed; higher is better.

    IROF = 1 − ∫₀¹ p(target | x_f) / p(target | x) df, at most 1, negative where the score rises,

    with x_f the image whose most relevant segments, with the fraction f of its pixels, have its mean colour. A
    segment's relevance is the mean of its pixels'. An image costs K + 1 forward passes. The
    curve is that of probabilities, which others may share. Undefined where p(target | x) is 0.

    Args:
        segments: about how many SLIC segments an image has; see :mod:`heatmark.metrics.engine.units`.
        steps: number K of steps: at the curve's points the fractions 0, 1 / K, …, 1 of the segments are removed.
        baseline: what replaces a segment; see :mod:`heatmark.metrics.engine.fills`.
        ties: order of segments of equal relevance; see :mod:`heatmark.metrics.engine.ties`.
        seed: seed of the drawn order and of a drawn baseline; 0 if neither is drawn.

    Raises:
        ValueError: if a name is unknown, or ``segments`` or ``steps`` is out of range. When called: if the baseline
            needs a normalisation that the batch lacks.

    Rieger & Hansen, "IROF: a low resource evaluation metric for explanation methods", AI4AH at ICLR 2020, equation 3.
    Deviation: the area over equal fractions of segments, so that images with more segments have no larger value, and
    the same number of points; the paper removes one segment after the other. Quantus's is no preset: see
    :mod:`heatmark.metrics.protocols`.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 32, 32)
    >>> image[0, 0, :16, :16] = 4.0  # a red square
    >>> good, bad = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (good, bad)]
    >>> right, wrong = torch.cat([IROF(segments=16)(batch).values for batch in batches])
    >>> bool(right > wrong)
    True
    """

    higher_is_better: ClassVar[bool | None] = True

    segments: int = 100
    steps: int = 20
    baseline: str = "mean"
    ties: str = "drawn"
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 1:
            raise ValueError(f"steps={self.steps!r}, expected a whole number from 1")
        object.__setattr__(self, "seed", self.path.seed or self.path.fill_seed)

    @property
    def path(self) -> PixelPath:
        """The path of segments, most relevant first."""
        return PixelPath(
            steps=tuple(step / self.steps for step in range(self.steps + 1)),
            fill=self.baseline,
            ties=self.ties,
            seed=self.seed,
            unit="slic",
            unit_size=self.segments,
            fill_seed=self.seed,
        )

    def summarise(self, curve: Curve) -> Scores:
        """Return the area over each curve divided by its first point; NaN, with the reason, where it is undefined."""
        scores = precise(curve.y)  # a ratio of float32 numbers may be too large for one
        values = 1 - area(Curve(precise(curve.x), scores / scores[:, :1], curve.axis))
        return summed(curve, values, (curve.y[:, 0] == 0, NO_SCORE), (~values.isfinite(), TOO_SMALL))

"""The base class of SIC and AIC: the area under an image's performance information curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from heatmark.metrics.base import Curve, Explained, Metric, Scores
from heatmark.metrics.engine.information import Numbers, most_relevant, resampled, scaled_between, seed_pixels
from heatmark.metrics.engine.information_pictures import Drawn
from heatmark.metrics.engine.per_image import NOT_FINITE, not_finite
from heatmark.metrics.engine.perturbation import require_evaluable
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.summaries import area
from heatmark.metrics.protocols import PIC_PROTOCOLS

LOW_SCORE = "the model's score of the image is below {}"
NO_RISE = "the blurred image has at least the score of the image"
NO_INFORMATION = "the blurred image has at least the information of the image"


@dataclass(frozen=True)
class InformationCurve(Metric):
    """The area under the score of pictures with the most relevant pixels known, by their information; higher is better.

    At each threshold t the most relevant pixels, at or above the map's quantile 1 − t, and the seed pixels keep their
    colours, and the others are interpolated between them. A picture's x is its information (bytes of a lossless WebP
    file) and its y its score, both scaled so that the blurred image, with the seed pixels alone, has 0 and the image 1,
    and cut off there; y is raised to the largest of smaller thresholds. AUC = ∫₀¹ y dx, in [0, 1], by interpolation at
    equal distances of x.

    It is undefined for a map with NaN or infinite values, and the image is refused, as in the authors' code, where its
    own score is below ``min_score``, or the blurred one has at least its score or its information. It costs a forward
    pass per threshold, and 2.

    Args:
        preset: name of the protocol, which gives the values of options that are None: ``pair-2022``.
        thresholds: t, ascending, in (0, 1).
        seed_share: share of all pixels that are seeds, drawn from the image's own pixels and the run's seed.
        min_score: smallest score of an image that is not refused.
        points: number of intervals at whose ends the curve is given.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), or a number out of its range. When called: if
            the batch has no normalisation, or its images have neither 1 nor 3 channels.
    """

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in PIC_PROTOCOLS.items()
    }
    score: ClassVar[str]
    """What y is; see :mod:`heatmark.metrics.engine.target_scores`."""

    preset: str = "pair-2022"
    thresholds: Sequence[float] | None = None
    seed_share: float | None = None
    min_score: float | None = None
    points: int | None = None

    def __post_init__(self) -> None:
        if self.thresholds is not None:
            object.__setattr__(self, "thresholds", tuple(float(threshold) for threshold in self.thresholds))
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        ascending = list(self._thresholds) == sorted(set(self._thresholds))
        if not self._thresholds or not ascending or not all(0 < each < 1 for each in self._thresholds):
            raise ValueError(f"thresholds={list(self._thresholds)}, expected some, ascending, above 0 and below 1")
        if not 0 <= cast("float", self.seed_share) < 1:
            raise ValueError(f"seed_share={self.seed_share!r}, expected a share from 0 to below 1")
        if not isinstance(self.points, int) or self.points < 1:
            raise ValueError(f"points={self.points!r}, expected a whole number of at least 1")

    @property
    def _thresholds(self) -> Sequence[float]:
        return cast("Sequence[float]", self.thresholds)

    def __call__(self, batch: Explained) -> Scores:
        """Return the area per image, and the curves; NaN, with the reason, where an image is refused."""
        require_evaluable(batch)
        drawn = Drawn(batch)
        seeds = [seed_pixels(image, batch.seed, cast("float", self.seed_share)) for image in batch.images]
        blurred, intact = (
            drawn.facts([(n, mask) for n, mask in enumerate(masks)], self.score)
            for masks in (seeds, [np.ones_like(mask) for mask in seeds])
        )
        reasons = self._reasons(batch, blurred, intact)
        kept = [n for n, why in enumerate(reasons) if not why]
        masks = [(n, most_relevant(batch.maps[n], t) | seeds[n]) for n in kept for t in self._thresholds]
        facts = drawn.facts(masks, self.score).reshape(len(kept), len(self._thresholds), 2)
        points = cast("int", self.points)
        y = np.full((len(seeds), points + 1), np.nan)
        for n, of_image in zip(kept, facts, strict=True):
            x, score = scaled_between(of_image, blurred[n], intact[n]).T
            y[n] = resampled(x, score, points)
        at = torch.arange(points + 1, dtype=torch.float64) / points
        device = batch.images.device
        curve = Curve(_moved(at, device), _moved(torch.from_numpy(y), device), "information")
        return Scores(area(curve), reasons, curve)

    def _reasons(self, batch: Explained, blurred: Numbers, intact: Numbers) -> list[str]:
        """Return why each image is refused, ``""`` where it is not."""
        least = cast("float", self.min_score)
        return [
            NOT_FINITE if bad
            else LOW_SCORE.format(least) if not high[1] >= least
            else NO_INFORMATION if low[0] >= high[0]
            else NO_RISE if not high[1] > low[1]
            else ""
            for bad, low, high in zip(not_finite(batch.maps).tolist(), blurred, intact, strict=True)
        ]  # fmt: skip

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of thresholds, and two for the image and the blurred one."""
        return len(self._thresholds) + 2.0


def _moved(values: Tensor, device: torch.device) -> Tensor:
    return values.to(device, torch.float32 if device.type == "mps" else torch.float64)

"""The base class of deletion and insertion: their options, presets, path and sum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, CurveMetric, Scores
from heatmark.metrics.engine.counts import checked_steps
from heatmark.metrics.engine.pixel_path import Order, PixelPath
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.summaries import RULES, summed


@dataclass(frozen=True)
class PixelFlipping(CurveMetric):
    """The area under the target's score while pixels are exchanged for a baseline's, most relevant first.

    The preset ``rise-2018`` is the paper's code: it perturbs all channels of a pixel at once and as many pixels per
    step as an image row has (224 at 224 × 224), includes both end points, takes the area over the exact fractions of
    pixels, and perturbs pixels of equal value in raster order. The default ``heatmark-1`` differs in one option: pixels
    of equal value come in an order drawn for each image. In raster order a map that is constant on most of its area, as
    a CAM after a ReLU is, perturbs that area from top to bottom. The presets of other packages differ in the fill, the
    steps, the score or the sum: they are the values in :mod:`heatmark.metrics.protocols`, which names those that these
    options cannot represent.

    Two metrics with the same values of all options are equal, whichever preset they were built from. Their ``preset``
    is the one from which the fewest options differ. An option that is None has the preset's value.

    Args:
        steps: number of steps K of the curve, which has K + 1 points; or a list of the fractions of its points; or
            units per step, as ``counting`` reads it. None means the preset's, by default the number of image rows.
        baseline: what replaces pixels: ``zero``, ``mean``, ``blur``, ``blur_reflect``, ``blur_15``, ``black``,
            ``image_minimum``, ``uniform``, ``normal``, or ``counterfactual``, the dataset's own picture without the
            object; see :mod:`heatmark.common.baselines` and :mod:`heatmark.metrics.engine.fills`.
        preset: name of the protocol, which gives the values of options that are None.
        ties: order of pixels of equal value: ``drawn``, ``raster``, ``reversed`` or ``stable``; see
            :mod:`heatmark.metrics.engine.ties`.
        seed: seed of the drawn order and of a drawn baseline, which also depend on the image's own pixels; 0 if
            neither is drawn.
        tie_orders: number of drawn orders whose curves bound the value, beside raster order and its reverse; 0 asks for
            no bounds. It does not change the metric's value.
        rule: ``trapezoid``, the area under the curve over the true fractions; ``mean`` of its points;
            ``per_interval``, ``per_point`` or ``unit_steps``, the trapezoidal rule with equal distances of 1 / (K − 1),
            1 / K or 1 for K points. It sums up a curve that is there, and costs no forward pass.
        score: ``probability``, ``logit``, ``log_odds`` or ``accuracy`` of the target; see
            :mod:`heatmark.metrics.engine.target_scores`.
        unit: ``pixel``, ``channel_pixel``, ``patch`` or ``slic``: what is replaced together; see
            :mod:`heatmark.metrics.engine.units`.
        unit_size: pixels of a patch's side, or about how many SLIC segments an image has; 1 for pixels and channels.
        counting: how steps become numbers of units: ``nearest``, ``floor``, ``chunks``, ``rest``, ``multiples``,
            ``every``, ``single`` or ``log``; see :mod:`heatmark.metrics.engine.counts`.
        counted: whether these count the ``relevant`` units, or the ``replaced`` ones, which differ where the least
            relevant are replaced first.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), or ``steps``, ``unit_size`` or ``tie_orders``
            is out of range. When called: if an image has fewer units than ``steps``, or the baseline needs a
            normalisation that the batch lacks.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1.
    """

    beside: ClassVar[frozenset[str]] = frozenset({"tie_orders"})
    order: ClassVar[Order]

    steps: int | Sequence[float] | None = None
    baseline: str | None = None
    preset: str = "heatmark-1"
    ties: str | None = None
    seed: int = 0
    tie_orders: int = 0
    rule: str | None = None
    score: str | None = None
    unit: str | None = None
    unit_size: int | None = None
    counting: str | None = None
    counted: str | None = None

    def __post_init__(self) -> None:
        self._fill_from_preset()
        look_up("rule", self.rule, RULES)
        if not isinstance(self.tie_orders, int) or self.tie_orders < 0:
            raise ValueError(f"tie_orders={self.tie_orders!r}, expected a whole number from 0; 0 computes no bounds")

    def _fill_from_preset(self) -> None:
        """Fill options that are None from the preset, and set ``preset`` to the one that differs least."""
        if isinstance(self.steps, list):
            object.__setattr__(self, "steps", tuple(self.steps))
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        object.__setattr__(self, "steps", checked_steps(self.steps, str(self.counting)))
        object.__setattr__(self, "seed", self.path.seed or self.path.fill_seed)

    @property
    def path(self) -> PixelPath:
        """The path with these options; it is equal for all metrics that perturb the same pixels in the same order."""
        return PixelPath(
            self.order,
            self.steps,
            str(self.baseline),
            ties=str(self.ties),
            seed=self.seed,
            score=str(self.score),
            unit=str(self.unit),
            unit_size=1 if self.unit_size is None else self.unit_size,
            counting=str(self.counting),
            counted=str(self.counted),
            fill_seed=self.seed,
        )

    @property
    def bounds(self) -> tuple[PixelPath, ...]:
        """The paths under other orders of ties: raster, its reverse, and those drawn with seeds from ``seed`` on.

        In general they do not hold the extremes over all orders: an order of scattered single pixels may score outside
        their range. Each costs a curve.
        """
        if not self.tie_orders:
            return ()
        tried = [("raster", 0), ("reversed", 0), *(("drawn", self.seed + more) for more in range(self.tie_orders))]
        paths = [replace(self.path, ties=ties, seed=seed) for ties, seed in tried]
        return tuple(path for path in paths if path != self.path)

    def summarise(self, curve: Curve) -> Scores:
        """Return the sum of each curve, in the unit of its score; NaN, with the reason, where a point is NaN."""
        return summed(curve, look_up("rule", self.rule, RULES)(curve))

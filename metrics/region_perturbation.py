"""Region perturbation: the AOPC."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, CurveMetric, Scores
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.summaries import summed, unit_steps
from heatmark.metrics.protocols import REGION_PROTOCOLS

RULES = ("mean", "unit_steps")
ONE_PATCH = "the image is one patch, so that rule='unit_steps' has no step"


@dataclass(frozen=True)
class RegionPerturbation(CurveMetric):
    """Region perturbation (AOPC): the mean drop of the score while patches are replaced one by one; higher is better.

    AOPC = 1 / (L + 1) · Σ_{k = 0}^{L} (p(target | x) − p(target | x_k)), in [−1, 1],

    with x_k the image whose k most relevant patches are replaced, x_0 = x. L is the number of regions, or of the
    image's patches if it has fewer. A patch's relevance is the mean of its pixels', and those at the right and the
    bottom may be smaller. An image costs L + 1 forward passes; the curve is one of patches, which others may share.

    Args:
        patch_size: pixels of a patch's side.
        regions: number L of patches that are replaced.
        baseline: what replaces a patch; see :mod:`heatmark.metrics.engine.fills`.
        preset: name of the protocol, which gives the values of options that are None: ``heatmark-1``,
            ``samek-2017`` or ``quantus-0.6``.
        rule: ``mean`` of the drops, the first of which is 0, or ``unit_steps``, the trapezoidal rule with dx = 1 over
            those from the first patch on, in [1 − L, L − 1], undefined for an image of one patch.
        ties: order of patches of equal relevance; see :mod:`heatmark.metrics.engine.ties`.
        seed: seed of the drawn order and of a drawn baseline; 0 if neither is drawn.

    Raises:
        ValueError: if a name is unknown, or ``patch_size`` or ``regions`` is out of range. When called: if the baseline
            needs a normalisation that the batch lacks.

    Samek et al., "Evaluating the Visualization of What a Deep Neural Network Has Learned", TNNLS 2017, equation 12.
    Deviation by default: patches of 8 × 8 pixels and not 9 × 9, which divide 224; and the image's mean colour in place
    of uniform noise (``preset="samek-2017"``). Quantus cuts a picture whose sides 8 does not divide from a padded one.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0, :2, :2] = 16.0  # one red patch of 2 × 2 pixels: the mean red is 4
    >>> good, bad = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (good, bad)]
    >>> torch.cat([RegionPerturbation(2, 1, baseline="zero")(batch).values for batch in batches])
    tensor([0.3157, 0.0000])
    """

    higher_is_better: ClassVar[bool | None] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in REGION_PROTOCOLS.items()
    }

    patch_size: int | None = None
    regions: int | None = None
    baseline: str | None = None
    preset: str = "heatmark-1"
    rule: str | None = None
    ties: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        look_up("rule", self.rule, dict.fromkeys(RULES))
        if not isinstance(self.regions, int) or self.regions < 1 + (self.rule == "unit_steps"):
            raise ValueError(
                f"regions={self.regions!r}, expected a whole number from 1, or from 2 for rule='unit_steps'"
            )
        object.__setattr__(self, "seed", self.path.seed or self.path.fill_seed)

    @property
    def path(self) -> PixelPath:
        """The path of single patches, most relevant first."""
        return PixelPath(
            steps=self.regions,
            fill=str(self.baseline),
            ties=str(self.ties),
            seed=self.seed,
            unit="patch",
            unit_size=0 if self.patch_size is None else self.patch_size,
            counting="single",
            fill_seed=self.seed,
        )

    def summarise(self, curve: Curve) -> Scores:
        """Return the sum of the drops of each curve; NaN, with the reason, where a point is NaN."""
        drops = curve.y[:, :1] - curve.y
        from_first = Curve(curve.x, drops[:, 1:], curve.axis)
        values = drops.mean(dim=1) if self.rule == "mean" else unit_steps(from_first)
        one = curve.y.new_full((len(values),), self.rule != "mean" and drops.shape[1] < 3).bool()
        return summed(curve, values, (one, ONE_PATCH))

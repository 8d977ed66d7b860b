"""The monotonicity metric."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.base import Curve, CurveMetric, Scores
from heatmark.metrics.engine.per_image import precise
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.engine.summaries import summed


@dataclass(frozen=True)
class Monotonicity(CurveMetric):
    """Monotonicity: the share of steps at which the score does not fall while pixels are added; higher is better.

    Monotonicity = #{k : p(target | x_k) ≥ p(target | x_{k − 1})} / K, in [0, 1],

    with x_0 the fill and x_K the image, and pixels added least relevant first. That is the MoRF curve read backwards,
    which morf shares if its fill is equal. A model that ignores what is added has 1.

    Args:
        steps: number K of steps; None takes one image row per step. An image costs K + 1 forward passes.
        baseline: what the image is built up from; see :mod:`heatmark.metrics.engine.fills`.
        ties: order of pixels of equal value; see :mod:`heatmark.metrics.engine.ties`.
        seed: seed of the drawn order and of a drawn baseline; 0 if neither is drawn.

    Raises:
        ValueError: if a name is unknown, or ``steps`` is out of range. When called: if an image has fewer pixels than
            ``steps``, or the baseline needs a normalisation that the batch lacks.

    Arya et al., "One Explanation Does Not Fit All: A Toolkit and Taxonomy of AI Explainability Techniques", 2019, arXiv
    1909.03012, section 5, after Luss et al. 2019. Deviation: groups of pixels in place of single features, and the
    share of the steps in place of whether it is 1, which no picture reaches. Quantus 0.6 writes the fill into the fill,
    and so is always true: see :mod:`heatmark.metrics.protocols`.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[4.0, 1], [-1, 2]])  # three pixels for red, one against it
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, lambda *_: image[:, 0])
    >>> Monotonicity(steps=4, baseline="zero")(batch).values
    tensor([0.7500], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = True

    steps: int | None = None
    baseline: str = "mean"
    ties: str = "drawn"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", self.path.seed or self.path.fill_seed)

    @property
    def path(self) -> PixelPath:
        """The path whose curve, read backwards, adds the least relevant pixels first."""
        return PixelPath(steps=self.steps, fill=self.baseline, ties=self.ties, seed=self.seed, fill_seed=self.seed)

    def summarise(self, curve: Curve) -> Scores:
        """Return the share of each curve's steps at which it does not rise; NaN, with the reason, for a NaN point."""
        kept = precise(curve.y[:, :-1] >= curve.y[:, 1:]).mean(dim=1)
        return summed(curve, kept)

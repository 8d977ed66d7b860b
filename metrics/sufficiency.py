"""The sufficiency metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.base import Curve, CurveMetric, Scores
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.engine.summaries import summed


@dataclass(frozen=True)
class Sufficiency(CurveMetric):
    """How far the target's score falls when only the most relevant pixels are kept; lower is better.

    sufficiency = p(target | x) − mean over fractions k of p(target | x with all but its k most relevant pixels
    replaced), in [−1, 1]. At or below 0 the most relevant pixels are enough for the prediction.

    It sums up points of the curve of an insertion into the fill, in the order of the map. It costs a forward pass per
    fraction, and two for the ends of the curve. It is undefined for a map with NaN.

    It is sufficiency in the sense of DeYoung et al., not of Dasgupta et al. (2022), which Quantus and LATEC call
    ``Sufficiency``: the share of the *other* images with a similar map that have the same prediction, which is no
    number of one image.

    Args:
        fractions: the fractions of pixels that are kept, ascending, each in (0, 1).
        baseline: what replaces the others; see :mod:`heatmark.metrics.engine.fills`.
        score: what is read of the model; see :mod:`heatmark.metrics.engine.target_scores`.
        ties: order of pixels of equal value; see :mod:`heatmark.metrics.engine.ties`.
        seed: seed of a drawn order of ties and of a drawn baseline; 0 if neither is drawn.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), or a fraction is out of its range.

    DeYoung et al., "ERASER: A Benchmark to Evaluate Rationalized NLP Models", ACL 2020, section 4.2, equation 2, and
    its mean over 1, 5, 10, 20 and 50 %. Deviation: pixels are replaced, where the paper leaves out words.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[4.0, 0], [0, 0]])  # one red pixel
    >>> right, wrong = image[:, 0], -image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> torch.cat([Sufficiency([0.25])(batch).values for batch in batches])  # 0.965 with the pixel, 1/3 without it
    tensor([0.0000, 0.6313])
    """

    higher_is_better: ClassVar[bool | None] = False

    fractions: Sequence[float] = (0.01, 0.05, 0.1, 0.2, 0.5)
    baseline: str = "zero"
    score: str = "probability"
    ties: str = "drawn"
    seed: int = 0

    def __post_init__(self) -> None:
        kept = tuple(float(fraction) for fraction in self.fractions)
        if not kept or list(kept) != sorted(set(kept)) or not all(0 < fraction < 1 for fraction in kept):
            raise ValueError(f"fractions={list(kept)}, expected at least one, ascending, above 0 and below 1")
        object.__setattr__(self, "fractions", kept)
        object.__setattr__(self, "seed", self.path.seed or self.path.fill_seed)

    @property
    def path(self) -> PixelPath:
        """The path of the insertion, with a point at each fraction and at both ends."""
        steps = (0.0, *self.fractions, 1.0)
        return PixelPath(
            "lerf", steps, self.baseline, ties=self.ties, seed=self.seed, score=self.score, fill_seed=self.seed
        )

    def summarise(self, curve: Curve) -> Scores:
        """Return the last point less the mean of the inner ones, in the unit of the score; NaN if a point is NaN."""
        return summed(curve, curve.y[:, -1] - curve.y[:, 1:-1].mean(dim=1))

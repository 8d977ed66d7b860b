"""Paths over the pixels of an image, in the order of a map: the curves that deletion and insertion sum up."""

from dataclasses import dataclass
from typing import Literal

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, Explained, Path
from heatmark.metrics.engine.baselines import find_baseline
from heatmark.metrics.engine.perturbation import perturbation_curves, pixel_counts
from heatmark.metrics.engine.ties import find_tie_order

DIRECTIONS = {"remove": "the fill takes the place of the image's pixels", "restore": "the reverse"}


@dataclass(frozen=True)
class PixelPath(Path):
    """The target's probability while an image's pixels are exchanged for a fill's, the most relevant ones first.

    At a point with count c, x = c / (H·W) and y = p(target | image whose c most relevant pixels are the fill's, or with
    ``restore`` the fill whose c most relevant pixels are the image's), all channels of a pixel at once, with p the
    softmax probability.

    Restoring the most relevant pixels first shows the images that removing the least relevant first shows, the last
    one first: this curve read backwards is that of LeRF with the same fill.

    Args:
        direction: ``remove`` or ``restore``.
        steps: number of steps K of the curve, which has K + 1 points; None means the number of image rows.
        fill: ``blur``, ``mean`` or ``zero``; see :mod:`heatmark.metrics.engine.baselines`.
        ties: order of pixels of equal value; see :mod:`heatmark.metrics.engine.ties`.
        seed: seed of the drawn order; it is set to 0 if the order is not drawn.

    Raises:
        ValueError: if a name is unknown (the message names the nearest). When called: if an image has fewer pixels than
            ``steps``, or the model is in training mode.
    """

    direction: Literal["remove", "restore"]
    steps: int | None
    fill: str
    ties: str
    seed: int = 0

    def __post_init__(self) -> None:
        look_up("direction", self.direction, DIRECTIONS)
        find_baseline(self.fill)
        find_tie_order(self.ties)
        object.__setattr__(self, "seed", self.seed if self.ties == "drawn" else 0)

    def curve(self, batch: Explained) -> Curve:
        """Return the curve of every image, x (K + 1,) from 0 to 1, y (N, K + 1) in [0, 1]."""
        height, width = batch.images.shape[2:]
        fill = find_baseline(self.fill)(batch.images)
        start, end = (batch.images, fill) if self.direction == "remove" else (fill, batch.images)
        ties = find_tie_order(self.ties)(batch.images, self.seed)
        return perturbation_curves(batch, start, end, ties, pixel_counts(height * width, self.steps or height))

"""Deletion."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from heatmark.metrics.engine.pixel_flipping import PixelFlipping


@dataclass(frozen=True)
class Deletion(PixelFlipping):
    """Deletion: take the most relevant pixels away, and a faithful map lets the probability fall fast.

    AUC = ∫₀¹ p(target | image with its fraction f of most relevant pixels replaced) df; the lower, the better.
    As in RISE's code, a deleted pixel is zero in the normalised space.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1.
    """

    higher_is_better: ClassVar[bool] = False

    baseline: str = "zero"

    def ends(self, images: Tensor, baseline: Tensor) -> tuple[Tensor, Tensor]:
        """Return the walk from the image to the baseline."""
        return images, baseline

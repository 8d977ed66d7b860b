"""Insertion."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from heatmark.metrics.engine.pixel_flipping import PixelFlipping


@dataclass(frozen=True)
class Insertion(PixelFlipping):
    """Insertion: bring the most relevant pixels back, and a faithful map lets the probability rise fast.

    AUC = ∫₀¹ p(target | baseline with its fraction f of most relevant pixels restored) df; the higher, the better.
    As in RISE's code, the walk starts from the blurred image.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1.
    """

    higher_is_better: ClassVar[bool] = True

    baseline: str = "blur"

    def ends(self, images: Tensor, baseline: Tensor) -> tuple[Tensor, Tensor]:
        """Return the walk from the baseline to the image."""
        return baseline, images

"""The combined ROAD."""

from collections.abc import Mapping
from dataclasses import dataclass

from heatmark.metrics.difference import Difference


@dataclass(frozen=True)
class ROADCombined(Difference):
    """The combined ROAD of pytorch-grad-cam; higher is better, 0 is chance.

    ROAD combined = (ROAD LeRF − ROAD) / 2, in [−1/2, 1/2]

    It costs no forward pass of its own, and is NaN where one of the two is. To be pytorch-grad-cam's, both need the
    preset ``road-pgc``.

    Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022; the combination is
    ``ROADCombined`` of pytorch-grad-cam, which takes logits if it is not told otherwise.

    >>> ROADCombined().terms
    {'road_lerf': 0.5, 'road': -0.5}
    """

    minuend: str = "road_lerf"
    subtrahend: str = "road"

    @property
    def terms(self) -> Mapping[str, float]:
        """Factor 1/2 for the minuend, −1/2 for the subtrahend."""
        return {self.minuend: 0.5, self.subtrahend: -0.5}

"""The symmetric relevance gain."""

from dataclasses import dataclass

from heatmark.metrics.difference import Difference


@dataclass(frozen=True)
class SRG(Difference):
    """The symmetric relevance gain; higher is better, 0 is chance.

    SRG = AUC(LeRF) − AUC(MoRF), in [−1, 1]

    Both orders use the same fill, so that what the fill itself does to the model counts on both sides: rankings by SRG
    depend on the fill far less than those by deletion or insertion. It costs no forward pass of its own, and is NaN
    where one of the two is.

    Blücher et al., "Decoupling Pixel Flipping and Occlusion Strategy for Consistent XAI Benchmarks", TMLR 2024, eq. 6.
    Deviation: single pixels in equal steps, where the authors remove superpixels in logarithmic ones.

    >>> SRG().terms
    {'lerf': 1.0, 'morf': -1.0}
    """

    minuend: str = "lerf"
    subtrahend: str = "morf"

"""Protocols: the values of options that published code uses, with citation and source.

A protocol is never edited: another set of values is another protocol with a name of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """The values of the options that define a published way to compute metrics.

    Args:
        values: by option; None has the option's own meaning, such as one image row per step.
        citation: the paper.
        source: the code from which the values are taken: repository, file and commit.
    """

    values: Mapping[str, object]
    citation: str
    source: str


RISE_2018 = Protocol(
    values={"steps": None, "rule": "trapezoid", "ties": "raster"},
    citation='Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, 4.1',
    source="github.com/eclique/RISE, evaluation.py, d91ea00",
)

HEATMARK_1 = Protocol(
    values={**RISE_2018.values, "ties": "drawn"},
    citation=RISE_2018.citation,
    source="Heatmark: rise-2018, but for pixels of equal value, whose order is drawn per image",
)

PROTOCOLS: Mapping[str, Protocol] = {"heatmark-1": HEATMARK_1, "rise-2018": RISE_2018}
"""Protocols by the name that the option ``preset`` takes."""

ROAD_2022 = Protocol(
    values={"fractions": (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9), "noise": 0.01, "space": "pixels", "ties": "drawn"},
    citation='Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022, 4.2',
    source="github.com/tleemann/road_evaluation, road/imputed_dataset.py, experiments/cifar10/noretrain_params.json, "
    "e6b9987",
)

ROAD_PGC = Protocol(
    values={
        "fractions": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        "noise": 0.01,
        "space": "model",
        "ties": "drawn",
    },
    citation=ROAD_2022.citation,
    source="github.com/jacobgil/pytorch-grad-cam, pytorch_grad_cam/metrics/road.py, 084273b",
)

IMPUTATION_PROTOCOLS: Mapping[str, Protocol] = {"road-2022": ROAD_2022, "road-pgc": ROAD_PGC}
"""Protocols of metrics that impute pixels, by the name that their option ``preset`` takes."""

"""Protocols of deletion and insertion as values: each is a name for values of options, with its source."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """A published protocol. It is never edited, it is superseded by another one.

    Args:
        values: of the options that it sets.
        citation: the paper.
        source: the code that the values are read from.
    """

    values: Mapping[str, object]
    citation: str
    source: str


RISE_2018 = Protocol(
    {"ties": "raster", "rule": "trapezoid"},
    'Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4.1',
    "github.com/eclique/RISE, evaluation.py",
)
HEATMARK_1 = Protocol({**RISE_2018.values, "ties": "drawn"}, RISE_2018.citation, "this package")

PROTOCOLS: Mapping[str, Protocol] = {"heatmark-1": HEATMARK_1, "rise-2018": RISE_2018}

PRESETS: Mapping[str, Mapping[str, object]] = {name: protocol.values for name, protocol in PROTOCOLS.items()}
"""Values of options by the protocol's name."""

"""Shards: parts of a dataset for processes that never speak to each other."""

import re
from dataclasses import dataclass

EXPECTED = "expected NUMBER/COUNT with a NUMBER from 0 to COUNT - 1, such as 0/8 or 7/8"


@dataclass(frozen=True)
class Shard:
    """Every ``of``-th picture of a dataset, from picture ``number`` on, counted from 0.

    Args:
        number: of the shard, from 0 to ``of`` − 1.
        of: how many shards there are.

    Raises:
        ValueError: for a number outside its range.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.of:
            raise ValueError(f"shard {self.number}/{self.of}: {EXPECTED}")

    def positions(self, count: int) -> range:
        """Return the positions of this shard's pictures in a dataset of ``count`` pictures."""
        return range(self.number, count, self.of)


WHOLE = Shard(0, 1)
"""The whole dataset."""


def parse_shard(text: str) -> Shard:
    """Return the shard that a text such as ``3/8`` names: pictures 3, 11, 19, ….

    Raises:
        ValueError: for anything else.

    >>> parse_shard("3/8").positions(20)
    range(3, 20, 8)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found:
        raise ValueError(f"shard {text}: {EXPECTED}")
    return Shard(int(found[1]), int(found[2]))

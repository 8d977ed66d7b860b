"""A difference of two metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.base import Derived


@dataclass(frozen=True)
class Difference(Derived):
    """The difference of two metrics' values of the same image; higher is better.

    value = minuend − subtrahend, such as insertion − deletion, in [−1, 1]. It is made from the table of a run, costs no
    pass, and is NaN where one of the two is.

    Args:
        minuend: name of the metric that is subtracted from.
        subtrahend: name of the metric that is subtracted.

    >>> Difference("insertion", "deletion").terms
    {'insertion': 1.0, 'deletion': -1.0}
    """

    higher_is_better: ClassVar[bool | None] = True

    minuend: str = "insertion"
    subtrahend: str = "deletion"

    @property
    def terms(self) -> Mapping[str, float]:
        """Factor by the name of the metric."""
        return {self.minuend: 1.0, self.subtrahend: -1.0}

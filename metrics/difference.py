"""The difference of two metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from heatmark.metrics.base import Derived


@dataclass(frozen=True)
class Difference(Derived):
    """The difference of two metrics' values of the same image and map, such as insertion − deletion.

    value = minuend − subtrahend, in [−1, 1] for two metrics in [0, 1]

    It costs no forward pass. It is NaN where one of the two is.

    Heatmark's own: one number for two metrics, such as insertion and deletion, that a method can do well in one by one.

    Args:
        minuend: name of the metric from which the other one is subtracted.
        subtrahend: name of the metric that is subtracted.
        higher_is_better: direction of the difference; None if it is not ranked.

    Raises:
        ValueError: if the two are one metric. When called: always, because it is computed from tables.

    >>> Difference().terms
    {'insertion': 1.0, 'deletion': -1.0}
    """

    minuend: str = "insertion"
    subtrahend: str = "deletion"
    # An option here, because the direction follows from the two metrics: the difference of two lower-is-better metrics
    # may have either.
    higher_is_better: bool | None = True  # type: ignore[misc]

    def __post_init__(self) -> None:
        if self.minuend == self.subtrahend:
            raise ValueError(f"minuend and subtrahend are both {self.minuend!r}, expected two metrics")

    @property
    def terms(self) -> Mapping[str, float]:
        """Factor 1 for the minuend, −1 for the subtrahend."""
        return {self.minuend: 1.0, self.subtrahend: -1.0}

"""What the steps of a block have made, which later steps of the block need not make again."""

from collections.abc import Hashable, Sequence

from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.observer import Step
from heatmark.metrics.base import Metric, Path


class Made:
    """The scores and further maps of a block that its steps have made, as far as that can be known beforehand.

    Maps that order pixels alike share more than this, which is not known before they are there.

    Args:
        image_size: (H, W) of the images.
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        self._image_size = image_size
        self._scored = set[Hashable]()

    def curves(self, cell: Cell, images: Sequence[int], path: Path) -> Step:
        """Return the step of a cell's curves along a path, of which ends may be scored already."""
        ends: set[Hashable] = {(i, place) for i in images for place in path.common(self._image_size)}
        return Step([cell], len(images), path, self._of(ends))

    def scores(self, cell: Cell, images: Sequence[int], name: str, metric: Metric) -> Step:
        """Return the step of a cell's scores under a metric, whose passes or further maps may be made already."""
        known = self._of({(i, metric) for i in images if metric.once_per_image})
        asked = self._of({(cell.key, metric.asks, *images)}) > 0
        return Step([cell], len(images), name, known, asked)

    def _of(self, scored: set[Hashable]) -> int:
        """Return how many of these are made already; all are from now on."""
        known = len(scored & self._scored)
        self._scored |= scored
        return known

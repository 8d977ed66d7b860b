"""Observers of a sweep: what they are told while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.metrics.base import Path


@dataclass(frozen=True)
class Step:
    """A part of a block's work: the maps of a cell, its curves along a path, or its scores under a metric.

    Args:
        cells: the cell; several that share one capture; none for the model's predictions.
        images: number of images.
        of: the path of the curves or the name of the metric; None for maps and predictions.
        known: number of points of these curves that are scored already, or of images whose passes are made.
        asked: whether the further maps that the metric asks for are computed already.
    """

    cells: Sequence[Cell]
    images: int
    of: Path | str | None = None
    known: int = 0
    asked: bool = False


class Observer:
    """An observer of a sweep, whose methods are called while it runs; this one shows nothing."""

    def planned(self, plan: Plan, blocks: int) -> None:
        """Called once, when the job's cells and the number of its blocks are known."""

    def begins(self, step: Step) -> None:
        """Called before each step of each block."""

    def ended(self, images: int, errors: int) -> None:
        """Called after each block with its number of pictures and the job's number of error rows until now."""

    def times(self, cell: Cell, number: int, count: int) -> None:
        """Called before a cell is timed, the ``number``-th of ``count``, counted from 1."""


SILENT = Observer()
"""An observer that shows nothing."""

"""Replicates: which draw of a cell is judged by which draw of a metric."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from heatmark.benchmarks.sweep.cells import Cell
from heatmark.common.seeds import redrawn, replicate_seed
from heatmark.metrics.base import Explained, Metric, Scores


@dataclass(frozen=True)
class Redrawn(Metric):
    """A replicate of a metric that draws from the batch's seed: its value with another seed.

    Args:
        metric: the metric.
        replicate: number of the draw, from 1.
    """

    draws = True

    metric: Metric
    replicate: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "higher_is_better", self.metric.higher_is_better)
        object.__setattr__(self, "needs", self.metric.needs)
        object.__setattr__(self, "once_per_image", self.metric.once_per_image)

    def __call__(self, batch: Explained) -> Scores:
        """Return the metric's values with the seed of the replicate."""
        return self.metric(replace(batch, seed=replicate_seed(batch.seed, self.replicate)))

    def passes(self, image_size: tuple[int, int]) -> float | None:
        """Return what the metric says that it costs."""
        return self.metric.passes(image_size)

    @property
    def asks(self) -> Hashable:
        """What the metric asks for, with the seed of the replicate."""
        return self.metric.asks, self.replicate

    def maps(self, image_size: tuple[int, int]) -> float | None:
        """Return how many further maps the metric asks for."""
        return self.metric.maps(image_size)


class Judge(NamedTuple):
    """A draw of a metric.

    Args:
        name: the metric's name in the tables.
        draw: number of the draw, from 0.
        metric: the metric as it is drawn.
    """

    name: str
    draw: int
    metric: Metric

    @property
    def label(self) -> str:
        """The draw's name where a sweep says what it computes."""
        return f"{self.name} (draw {self.draw})" if self.draw else self.name


@dataclass(frozen=True)
class Round:
    """Cells that are judged by the same draws of metrics.

    Args:
        cells: the cells.
        judges: the draws of metrics.
    """

    cells: Sequence[Cell]
    judges: Sequence[Judge]

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics by :attr:`Judge.label`."""
        return {judge.label: judge.metric for judge in self.judges}


def replicate(cell: Cell, judge: Judge) -> int:
    """Return the number of the replicate that a draw of a metric gives of a cell, from 0.

    Of a method that draws, each draw is judged once and is a replicate; of any other, each draw of the metric is one.
    """
    return max(cell.replicate, judge.draw)


def rounds(cells: Sequence[Cell], metrics: Mapping[str, Metric], replicates: int) -> list[Round]:
    """Return the cells of a job with the draws of metrics that judge them.

    A cell whose method draws nothing is judged by all draws of each metric. Draw r of any other is judged by draw r of
    each metric, and from R on by the metrics as they are: so with R = 1 are all draws of a method, and a finished run
    that grows has nothing to compute but draws 1 to R − 1.

    Args:
        cells: those of the job, all replicates among them.
        metrics: by name, without derived ones.
        replicates: R, the number of draws of a metric that draws.
    """
    first, *others = ([Judge(name, r, redraw(m, r)) for name, m in metrics.items()] for r in range(replicates))
    further = [judge for judges in others for judge in judges if judge.metric is not metrics[judge.name]]
    if not further:  # all draws of a cell meet the same metrics
        return [Round(cells, first)]
    found = [Round([cell for cell in cells if not cell.draws], [*first, *further])]
    for r, judges in enumerate([first, *others]):
        meeting = {r, *(range(replicates, len(cells)) if r == 0 else ())}
        found.append(Round([cell for cell in cells if cell.draws and cell.replicate in meeting], judges))
    return [each for each in found if each.cells]


def redraw(metric: Metric, replicate: int) -> Metric:
    """Return a draw of a metric; the metric itself for draw 0, and where it draws nothing."""
    if replicate and metric.draws:
        return Redrawn(redrawn(metric, replicate), replicate)
    return redrawn(metric, replicate)

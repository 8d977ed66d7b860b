"""What the store lacks of one cell in one block, found before anything is computed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.curves import paths
from heatmark.benchmarks.sweep.keys import curve_key, score_key
from heatmark.metrics.base import NO_COUNTERFACTUAL, Metric, Path, sums_up_curves

LACKING: Mapping[str, str] = {
    "masks": "the image has no mask",
    "labels": "the image has no label",
    "counterfactuals": NO_COUNTERFACTUAL,
}
"""The reason why an image has no value under a metric that needs what it lacks."""
OF_ANOTHER_CLASS = "the image has no counterfactual of the class explained"

Stored = Mapping[str, Mapping[str, Collection[str]]]
"""Ids of the stored rows, by artefact and key."""


def stored(store: Store, cells: Sequence[Cell], metrics: Mapping[str, Metric], seed: int, retry: bool) -> Stored:
    """Return which rows of these cells are stored.

    Args:
        store: the run's store.
        cells: the job's cells.
        metrics: by name, without derived ones.
        seed: the run's seed.
        retry: whether rows that are errors count as absent.
    """
    keys = {
        "maps": [cell.key for cell in cells],
        "curves": [curve_key(cell.key, path) for cell in cells for path in paths(metrics)],
        "scores": [score_key(cell.key, metric, seed) for cell in cells for metric in metrics.values()],
    }
    return {artefact: store.present(artefact, wanted, errors=not retry) for artefact, wanted in keys.items()}


@dataclass(frozen=True)
class Need:
    """What is to be computed of a cell in a block; images are positions in the block.

    Args:
        cell: the cell.
        maps: images whose map is not stored.
        curves: images whose curve is not stored, by path.
        scores: images whose score is not stored, by the metric's name.
    """

    cell: Cell
    maps: Sequence[int]
    curves: Mapping[Path, Sequence[int]]
    scores: Mapping[str, Sequence[int]]

    @property
    def anything(self) -> bool:
        """Whether anything is to be computed."""
        return bool(self.maps or any(self.curves.values()) or any(self.scores.values()))

    def with_maps(self, metrics: Mapping[str, Metric]) -> list[int]:
        """Return the images whose maps must be at hand, computed now or read from the store."""
        judged = [which for name, which in self.scores.items() if not sums_up_curves(metrics[name])]
        return sorted({*self.maps, *(i for which in (*self.curves.values(), *judged) for i in which)})

    def with_curves(self, path: Path, metrics: Mapping[str, Metric]) -> list[int]:
        """Return the images whose curve along a path must be at hand."""
        summed = [which for name, which in self.scores.items() if path in paths({name: metrics[name]})]
        return sorted({*self.curves[path], *(i for which in summed for i in which)})


def lacking(needs: Collection[str], entry: Entry) -> str:
    """Return why an image has no value where something needs these of it, ``""`` where it has all of them."""
    if absent := [need for need in sorted(needs) if not entry.inputs.get(need)]:
        return LACKING[absent[0]]
    return OF_ANOTHER_CLASS if "counterfactuals" in needs and entry.target != entry.label_index else ""


def need(
    cell: Cell, metrics: Mapping[str, Metric], entries: Mapping[int, Entry], there: Stored, seed: int, ends: bool
) -> Need:
    """Return what the store lacks of a cell in a block.

    Args:
        cell: the cell.
        metrics: by name, without derived ones.
        entries: the images that can be explained, by their positions in the block.
        there: which rows are stored.
        seed: the run's seed.
        ends: whether a cell that failed on a whole block is done with.
    """
    maps, rows = there["maps"].get(cell.key, ()), {i: entry.row() for i, entry in entries.items()}
    if "" in maps and len(maps) == 1 and ends:  # the cell failed on all of its images, and on none alone
        return Need(cell, (), {}, {})
    curves = {path: there["curves"].get(curve_key(cell.key, path), ()) for path in paths(metrics)}
    scores = {name: there["scores"].get(score_key(cell.key, m, seed), ()) for name, m in metrics.items()}
    return Need(
        cell,
        [i for i, row in rows.items() if row not in maps],
        {
            path: [i for i, e in entries.items() if e.row(path.needs) not in found and not lacking(path.needs, e)]
            for path, found in curves.items()
        },
        {
            name: [i for i, entry in entries.items() if entry.row(metrics[name].needs) not in found]
            for name, found in scores.items()
        },
    )

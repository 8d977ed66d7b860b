"""The work of one layer in one block: what the store lacks is computed, everything else is read from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.curves import Curves, curve_rows, curves_along, paths, stored_curves
from heatmark.benchmarks.sweep.explaining import Explaining
from heatmark.benchmarks.sweep.faults import one_reason
from heatmark.benchmarks.sweep.keys import curve_key, score_key
from heatmark.benchmarks.sweep.map_rows import failed_cell, map_rows, stored_maps
from heatmark.benchmarks.sweep.maps import Batch, Maps, Reasons, explained
from heatmark.benchmarks.sweep.needs import Need, Stored, lacking, need
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.predictions import Predicted
from heatmark.benchmarks.sweep.scores import Value, score_rows, scored
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.methods.given import GivenMaps
from heatmark.metrics.base import Metric, Path

FLUSH_BYTES = 64 * 2**20
"""Rows of a block and layer are stored together, unless they take more memory than this."""


@dataclass
class Progress:
    """What a job knows of its cells from the blocks before.

    Args:
        begun: keys of cells with a map, which cannot fail as a whole any more.
        failed: keys of cells that failed on all images of their first block alike, and are not tried again.
        errors: number of rows that are errors.
    """

    begun: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    errors: int = 0


@dataclass(frozen=True)
class Work:
    """What all blocks of a job are computed with.

    Args:
        classifier: the model.
        metrics: by name, without derived ones.
        run: settings.
        store: the run's store.
        there: which rows were stored when the job began.
        progress: what is known from the blocks before.
        observer: is told of every step.
    """

    classifier: Classifier
    metrics: Mapping[str, Metric]
    run: RunSettings
    store: Store
    there: Stored
    progress: Progress
    observer: Observer


class Parts:
    """Rows of one block and layer that are not stored yet.

    Args:
        store: the run's store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tables: dict[str, list[pa.Table]] = {"maps": [], "curves": [], "scores": []}

    def add(self, artefact: str, rows: pa.Table) -> None:
        """Add rows of an artefact; all are stored now where they take more than :data:`FLUSH_BYTES`."""
        self._tables[artefact].append(rows)
        if sum(table.nbytes for tables in self._tables.values() for table in tables) > FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Store everything, one part per artefact: maps before what was computed from them."""
        for artefact, tables in self._tables.items():
            if tables:
                self._store.put(artefact, pa.concat_tables(tables))
            self._tables[artefact] = []


def compute(work: Work, block: Predicted, cells: Sequence[Cell]) -> None:
    """Compute and store everything that the cells of one layer lack in a block."""
    entries = block.of_images
    at = {i: entries[i] for i in block.images}
    needs = [need(cell, work.metrics, at, work.there, work.run.seed, work.run.shards == 1) for cell in cells]
    needs = [n for n in needs if n.anything and n.cell.key not in work.progress.failed]
    if not needs:
        return
    parts = Parts(work.store)
    found = _maps(work, block, needs)
    for n in needs:
        maps, reasons = found.pop(n.cell.key)
        _CellWork(work, block, n, at, parts).store_all(maps, reasons)
    parts.flush()


def _maps(work: Work, block: Predicted, needs: Sequence[Need]) -> dict[str, tuple[Maps, Reasons]]:
    """Return the maps at hand of every cell, read or computed, and why an image has none."""
    found = {n.cell.key: _at_hand(work, block, n) for n in needs}
    groups: dict[tuple[int, ...], list[Cell]] = {}
    for n in needs:
        maps, reasons = found[n.cell.key]
        lacking = tuple(i for i in n.with_maps(work.metrics) if i not in maps and i not in reasons)
        groups.setdefault(lacking, []).append(n.cell)
    batch = Batch(block.block.images, block.targets)
    for which, cells in groups.items():
        for key, (maps, reasons) in explained(cells, work.classifier, batch, which, work.run, work.observer).items():
            found[key] = (found[key][0] | maps, found[key][1] | reasons)
    return found


def _at_hand(work: Work, block: Predicted, n: Need) -> tuple[Maps, Reasons]:
    """Return the maps that need not be computed: those that were given, or that the store has."""
    method = n.cell.method
    if not isinstance(method, GivenMaps):
        return _read_maps(work, block, n)
    entries, which = block.of_images, n.with_maps(work.metrics)
    maps = {i: method.maps[entries[i].position] for i in which if entries[i].position < len(method.maps)}
    return maps, {i: "no map was given of this picture" for i in which if i not in maps}


def _read_maps(work: Work, block: Predicted, n: Need) -> tuple[Maps, Reasons]:
    entries, new = block.of_images, set(n.maps)
    rows = {entries[i].row(): i for i in n.with_maps(work.metrics) if i not in new}
    if not rows:
        return {}, {}
    maps, reasons = stored_maps(work.store.read("maps", [n.cell.key], rows=list(rows)))
    return {rows[row]: raw for row, raw in maps.items()}, {rows[row]: why for row, why in reasons.items()}


@dataclass(frozen=True)
class _CellWork:
    """The work of one cell in one block, once its maps are at hand."""

    work: Work
    block: Predicted
    need: Need
    entries: Mapping[int, Entry]
    parts: Parts

    def store_all(self, maps: Maps, reasons: Reasons) -> None:
        """Add the rows of maps, curves and scores that the store lacks."""
        key, progress = self.need.cell.key, self.work.progress
        new = {i: maps[i] for i in self.need.maps if i in maps}
        failed = {i: reasons[i] for i in self.need.maps if i in reasons}
        progress.errors += len(failed)
        tried = key in progress.begun or len(self.work.there["maps"].get(key, ())) > 0
        if len(failed) > 1 and (why := one_reason(new, failed)) and not tried:
            progress.failed.add(key)
            self.parts.add("maps", failed_cell(self.need.cell, why))
            return
        if maps or reasons:
            progress.begun.add(key)
        images = self.block.block.images
        size = (images.shape[-2], images.shape[-1])
        self.parts.add("maps", map_rows(self.need.cell, self.entries, new, failed, size, self.work.run.keep_maps))
        explaining = Explaining(self.need.cell, self.work.classifier, self.block, maps, self.work.run)
        curves = {path: self._curves(path, explaining) for path in self.need.curves}
        for name, which in self.need.scores.items():
            self._scores(name, [i for i in which if i not in reasons], explaining, curves)

    def _curves(self, path: Path, explaining: Explaining) -> Curves:
        """Return the curves along a path that are needed, read or computed; new ones are added."""
        key = curve_key(self.need.cell.key, path)
        missing = [i for i in self.need.curves[path] if i in explaining.maps]
        needed = set(self.need.with_curves(path, self.work.metrics)) - set(self.need.curves[path])
        rows = {self.entries[i].row(path.needs): i for i in needed}
        read, _ = stored_curves(self.work.store.read("curves", [key], rows=list(rows))) if rows else ({}, {})
        if missing:
            self.work.observer.begins(self.block.made.curves(self.need.cell, missing, path))
        found, reasons = curves_along(path, explaining, missing)
        self.work.progress.errors += len(reasons)
        self.parts.add("curves", curve_rows(self.need.cell.key, path, self.entries, found, reasons))
        return {rows[row]: point for row, point in read.items()} | found

    def _scores(self, name: str, which: Sequence[int], explaining: Explaining, curves: Mapping[Path, Curves]) -> None:
        metric = self.work.metrics[name]
        key = score_key(self.need.cell.key, metric, self.work.run.seed)
        without = {i: Value(float("nan"), why) for i in which if (why := lacking(metric.needs, self.entries[i]))}
        along = [curves[path] for path in paths({name: metric})]
        able = [i for i in which if i not in without and all(i in points for points in along)]
        if able and not along:
            self.work.observer.begins(self.block.made.scores(self.need.cell, able, name, metric))
        found, reasons = scored(metric, explaining, able, curves)
        self.work.progress.errors += len(reasons)
        self.parts.add("scores", score_rows(key, sorted(metric.needs), self.entries, without | found, reasons))

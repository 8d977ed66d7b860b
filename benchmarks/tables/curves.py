"""The table of a run's curves: its writing from the store, and its reading, a cell at a time."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.columns import CURVES, CURVES_COLUMNS, SUBJECT, schema
from heatmark.benchmarks.tables.places import Asked, Place
from heatmark.benchmarks.tables.stored import Stored, one_array
from heatmark.benchmarks.tables.writing import grouped

ROWS = 2**14
"""Number of curves that are read from the store at once."""

OF_A_CELL = ["cell", "metric", "definition", "image", "replicate", "fraction", "score"]
"""The columns of a cell's curves that are read."""


@dataclass(frozen=True)
class Slice:
    """Pictures ``start`` to ``stop`` of the curves of a place under one metric."""

    place: Place
    asked: Asked
    start: int
    stop: int


def curves(store: Store, places: Iterable[Place]) -> Iterator[pa.Table]:
    """Yield the curves of a run, one row per picture and curve, each table of one cell."""
    for group in grouped(_slices(places), lambda part: part.stop - part.start, ROWS):
        keys = {part.asked.score.curve for part in group}
        rows = None
        if len(group) == 1:
            rows = _rows(group[0].asked)[group[0].start : group[0].stop].to_pylist()
        stored = Stored(store.read("curves", keys, ["status", "x", "y"], rows=rows))
        for of_cell in _by_cell(group):
            table = pa.concat_tables([_table(part, stored) for part in of_cell])
            if len(table):
                yield table


def _slices(places: Iterable[Place]) -> Iterator[Slice]:
    for place in places:
        for asked in place.asked.values():
            if asked.score.curve and not asked.metric.skipped:
                count = len(asked.job.usable)
                for start in range(0, count, ROWS):
                    yield Slice(place, asked, start, min(start + ROWS, count))


def _by_cell(group: Iterable[Slice]) -> Iterator[list[Slice]]:
    found: dict[Place, list[Slice]] = {}
    for part in group:
        found.setdefault(part.place, []).append(part)
    yield from found.values()


def _table(part: Slice, stored: Stored) -> pa.Table:
    job, metric = part.asked.job, part.asked.metric
    found = stored.find(part.asked.score.curve, _rows(part.asked)[part.start : part.stop])
    good = np.append(one_array(pc.equal(stored.table["status"], "ok")).to_numpy(zero_copy_only=False), False)
    there = np.flatnonzero(good[found])
    rows = stored.table.select(["x", "y"]).take(pa.array(found[there]))
    images = pa.array([entry.image for entry in job.usable[part.start : part.stop]], pa.string())
    cell = part.place.cell
    same = {column.name: job.setting[column.name] for column in SUBJECT}
    same |= {"layer": cell.layer, "method": cell.method, "metric": metric.name, "definition": metric.definition}
    same |= {"cell": part.place.id}
    columns = {name: pa.repeat(value, len(rows)) for name, value in same.items()}
    columns["replicate"] = pa.repeat(pa.scalar(part.asked.score.replicate, pa.int64()), len(rows))
    columns |= {"image": images.take(pa.array(there)), "fraction": rows["x"], "score": rows["y"]}
    return pa.table({name: columns[name] for name in CURVES}, schema=schema(CURVES_COLUMNS))


def _rows(asked: Asked) -> pa.Array:
    """Return the ids of the rows of a metric's curves, which need of a picture what the metric needs."""
    return asked.job.rows(asked.metric.needs)


class StoredCurves:
    """The curves of a run that is opened without reading them.

    Args:
        path: the file curves.parquet, in which each group of rows is of one cell.
    """

    def __init__(self, path: Path) -> None:
        self._file = parquet.ParquetFile(path)
        self._groups: dict[str, list[int]] = {}
        metadata = self._file.metadata
        column = self._file.schema_arrow.get_field_index("cell")
        for number in range(metadata.num_row_groups):
            cell = metadata.row_group(number).column(column).statistics.min
            self._groups.setdefault(str(cell), []).append(number)

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def of(self, cell: str, images: Collection[str] | None = None) -> pd.DataFrame:
        """Return the curves of a cell: :data:`OF_A_CELL`, where ``fraction`` and ``score`` are lists of numbers.

        Args:
            cell: the cell's id in the tables.
            images: names of images; None for all.
        """
        table = self._file.read_row_groups(self._groups.get(cell, []), OF_A_CELL, use_threads=False)
        if images is not None:
            table = table.filter(pc.is_in(table["image"], pa.array(list(images), pa.string())))
        return pd.DataFrame({name: table[name].to_numpy() for name in table.column_names})


def aligned(rows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return curves on one set of fractions: these (K,), and the scores (N, K), NaN where a curve lacks one.

    Args:
        rows: N rows with ``fraction`` and ``score``, lists of equal length.
    """
    lengths = [len(values) for values in rows["fraction"]]
    if not sum(lengths):
        return np.empty(0), np.empty((len(rows), 0))
    fractions, where = np.unique(np.concatenate(list(rows["fraction"])), return_inverse=True)
    scores = np.full((len(rows), len(fractions)), np.nan)
    scores[np.repeat(np.arange(len(rows)), lengths), where] = np.concatenate(list(rows["score"]))
    return fractions.astype(np.float64), scores

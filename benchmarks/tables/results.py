"""The results table of a run, a group of its places at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.columns import RESULTS, schema
from heatmark.benchmarks.tables.joining import MISSING, STATUSES, Join, Part, joined
from heatmark.benchmarks.tables.places import Place
from heatmark.benchmarks.tables.stored import Ints
from heatmark.benchmarks.tables.writing import grouped

ROWS = 2**16
"""Number of rows that are joined at once, where one place has no more."""


def results(store: Store, places: Iterable[Place], originals: Mapping[Place, str]) -> Iterator[pa.Table]:
    """Yield the results table in groups of rows.

    Args:
        store: the run's store.
        places: in the order of the table.
        originals: the cell whose maps a place's cell has, where this is known.
    """
    for several in grouped(places, _rows, ROWS):
        join = joined(store, several)
        parts = [part for place in several for part in join.parts(place)]
        table = _table(parts, join, originals)
        if len(table):
            yield table


def _rows(place: Place) -> int:
    return sum(len(asked.job.usable) for asked in place.asked.values())


def _table(parts: Sequence[Part], join: Join, originals: Mapping[Place, str]) -> pa.Table:
    """Return the rows of parts that are there."""
    lengths = np.array([len(part.status) for part in parts], np.int64)
    which = np.repeat(np.arange(len(parts)), lengths)
    status = _joined([part.status for part in parts])
    columns = {
        **{name: _spread(values, which) for name, values in _of_parts(parts, originals).items()},
        **_of_pictures(parts),
        "depth": pa.array([_depth(part.place.cell.depth) for part in parts], pa.float64()).take(pa.array(which)),
        "higher_is_better": pa.array([p.metric.higher_is_better for p in parts], pa.bool_()).take(pa.array(which)),
        "status": pa.array(STATUSES).take(pa.array(status)),
        "reason": join.texts.array().take(pa.array(_joined([part.reason for part in parts]))),
        "value": _numbers([part.value for part in parts]),
        "tied": _numbers([part.tied for part in parts]),
        "tie_low": _numbers([part.low for part in parts]),
        "tie_high": _numbers([part.high for part in parts]),
    }
    table = pa.table({name: columns[name] for name in RESULTS}, schema=schema(RESULTS))
    return table.filter(pa.array(status != MISSING))


def cell_columns(place: Place) -> dict[str, str]:
    """Return a place's values of the columns that all tables have."""
    cell = place.cell
    return {
        "cell": place.id, "layer": cell.layer, "method": cell.method, "implementation": cell.implementation,
        **{name: place.job.setting[name] for name in SETTING},
    }  # fmt: skip


def _of_parts(parts: Sequence[Part], originals: Mapping[Place, str]) -> dict[str, list[str]]:
    rows = [
        {
            **cell_columns(part.place),
            "options": part.place.cell.options,
            "maps": part.place.cell.key,
            "map_of": originals.get(part.place, ""),
            "metric": part.metric.name,
            "definition": part.metric.definition,
        }
        for part in parts
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _of_pictures(parts: Sequence[Part]) -> dict[str, pa.Array]:
    """Return the columns of each row's picture: those of all jobs' pictures, after one of a row of no picture."""
    jobs = list({id(part.job): part.job for part in parts if part.job is not None}.values())
    starts = np.cumsum([1, *(len(job.entries) for job in jobs)])
    first = {id(job): int(start) for job, start in zip(jobs, starts, strict=False)}
    which = pa.array(_joined([_pictures(part, first) for part in parts]))
    entries = [entry for job in jobs for entry in job.entries]
    columns = {
        "image": [entry.image for entry in entries],
        "group": [entry.group for entry in entries],
        "target": ["" if entry.target < 0 else str(entry.target) for entry in entries],
    }
    return {name: pa.array(["", *values], pa.string()).take(which) for name, values in columns.items()}


def _pictures(part: Part, first: Mapping[int, int]) -> Ints:
    count = len(part.status)
    if part.job is None:
        return np.zeros(count, np.int64)
    return np.arange(count) + first[id(part.job)] + part.first


def _depth(text: str) -> float:
    return float(text) if text else float("nan")


def _spread(values: Sequence[str], which: Ints) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(which))


def _joined(arrays: Sequence[Ints]) -> Ints:
    return np.concatenate([*arrays, np.empty(0, np.int64)])


def _numbers(arrays: Sequence["np.ndarray[tuple[int], np.dtype[np.float64]]"]) -> pa.Array:
    return pa.array(np.concatenate([*arrays, np.empty(0)]), pa.float64())

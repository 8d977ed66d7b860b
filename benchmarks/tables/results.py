"""The results table of a run, a group of its places at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.columns import RESULTS, RESULTS_COLUMNS, schema
from heatmark.benchmarks.tables.jobs import Job
from heatmark.benchmarks.tables.joining import MISSING, STATUSES, Join, Part, joined
from heatmark.benchmarks.tables.places import Place
from heatmark.benchmarks.tables.stored import Ints, one_array
from heatmark.benchmarks.tables.writing import grouped

ROWS = 2**16
"""Number of rows that are joined at once, where one place has no more."""
OF_PICTURES = ["image", "group", "label", "predicted", "correct", "probability", "target", "target_name"]
NO_PICTURE = pa.table(
    {name: pa.array([None if name == "correct" else np.nan if name == "probability" else ""]) for name in OF_PICTURES}
).cast(schema([column for name in OF_PICTURES for column in RESULTS_COLUMNS if column.name == name]))
"""The values in a row of no picture."""


def results(
    store: Store, places: Iterable[Place], originals: Mapping[Place, str], pictures: Mapping[Job, pa.Table]
) -> Iterator[pa.Table]:
    """Yield the results table in groups of rows.

    Args:
        store: the run's store.
        places: in the order of the table.
        originals: the cell whose maps a place's cell has, where this is known.
        pictures: of each job of the run (:func:`.described.described`).
    """
    for several in grouped(places, _rows, ROWS):
        join = joined(store, several)
        parts = [part for place in several for part in join.parts(place)]
        table = _table(parts, join, originals, pictures)
        if len(table):
            yield table


def _rows(place: Place) -> int:
    return sum(len(asked.job.usable) for asked in place.asked.values())


def _table(
    parts: Sequence[Part], join: Join, originals: Mapping[Place, str], pictures: Mapping[Job, pa.Table]
) -> pa.Table:
    """Return the rows of parts that are there."""
    lengths = np.array([len(part.status) for part in parts], np.int64)
    which = np.repeat(np.arange(len(parts)), lengths)
    status = _joined([part.status for part in parts])
    columns = {
        **{name: _spread(values, which) for name, values in _of_parts(parts, originals).items()},
        **_of_pictures(parts, pictures),
        "depth": pa.array([_depth(part.place.cell.depth) for part in parts], pa.float64()).take(pa.array(which)),
        "replicate": pa.array([part.replicate for part in parts], pa.int64()).take(pa.array(which)),
        "higher_is_better": pa.array([p.metric.higher_is_better for p in parts], pa.bool_()).take(pa.array(which)),
        "status": pa.array(STATUSES).take(pa.array(status)),
        "reason": join.texts.array().take(pa.array(_joined([part.reason for part in parts]))),
        "value": _numbers([part.value for part in parts]),
        "tied": _numbers([part.tied for part in parts]),
        "tie_low": _numbers([part.low for part in parts]),
        "tie_high": _numbers([part.high for part in parts]),
    }
    table = pa.table({name: columns[name] for name in RESULTS}, schema=schema(RESULTS_COLUMNS))
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


def _of_pictures(parts: Sequence[Part], pictures: Mapping[Job, pa.Table]) -> dict[str, pa.Array]:
    """Return the columns of each row's picture: those of all jobs' pictures, after one of a row of no picture."""
    jobs = list({id(part.job): part.job for part in parts if part.job is not None}.values())
    starts = np.cumsum([1, *(len(job.entries) for job in jobs)])
    first = {id(job): int(start) for job, start in zip(jobs, starts, strict=False)}
    which = pa.array(_joined([_pictures(part, first) for part in parts]))
    tables = [NO_PICTURE, *(pictures[job].select(OF_PICTURES) for job in jobs)]
    return {name: one_array(pa.concat_tables(tables)[name]).take(which) for name in OF_PICTURES}


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

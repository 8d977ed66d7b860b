"""The rows of the store that a run's requests ask for."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from heatmark.benchmarks.requests import Request


class Asked:
    """Which rows of each artefact some requests ask for.

    Args:
        jobs: the requests.
    """

    def __init__(self, jobs: Iterable[Request]) -> None:
        self._rows: dict[tuple[str, str], set[str]] = {}
        self._timed: set[str] = set()
        for job in jobs:
            self._add(job)

    def _add(self, job: Request) -> None:
        needs = {metric.name: tuple(metric.needs) for metric in job.metrics}
        rows = {need: {entry.row(need) for entry in job.entries} for need in {(), *needs.values()}}
        digests = {entry.digest for entry in job.entries}
        self._join("predictions", job.predictions, digests)
        self._join("pictures", str(job.facts.get("pictures_key", "")), digests)
        self._timed |= {cell.key for cell in job.cells}
        for cell in job.cells:
            self._join("maps", cell.key, rows[()])
        for score in job.scores:
            of_metric = rows[needs.get(score.metric, ())]
            for curve in (score.curve, *score.bounds):
                self._join("curves", curve, of_metric)
            self._join("scores", score.key, of_metric)

    def _join(self, artefact: str, key: str, rows: set[str]) -> None:
        """Add rows of a key; keys of one job share one set of rows as long as no other job asks for them."""
        before = self._rows.get((artefact, key))
        self._rows[artefact, key] = rows if before is None or before <= rows else before | rows

    def mask(self, artefact: str, rows: pa.Table) -> pa.Array:
        """Return which rows of a table with ``key`` and ``row`` are asked for; a row ``""`` speaks for a whole cell.

        Timings are asked for with their cell, whatever they were taken on.
        """
        keys, ids = (rows[name].cast(pa.string()).combine_chunks() for name in ("key", "row"))
        if artefact == "timings":
            return pc.is_in(keys, pa.array(sorted(self._timed), pa.string()))
        found = pa.array([False] * len(rows))
        for key in pc.unique(keys).to_pylist():
            if (wanted := self._rows.get((artefact, key))) is not None:
                here = pc.is_in(ids, pa.array(["", *wanted], pa.string()))
                found = pc.or_(found, pc.and_(pc.equal(keys, key), here))
        return found


def kept(asked: Asked, artefact: str, rows: pa.Table) -> tuple[pa.Table, int]:
    """Return the rows that are asked for, and the number of the others."""
    found = rows.filter(asked.mask(artefact, rows))
    return found, len(rows) - len(found)


def cell_keys(jobs: Sequence[Request]) -> list[str]:
    """Return the keys of all cells, each once."""
    return list(dict.fromkeys(cell.key for job in jobs for cell in job.cells))

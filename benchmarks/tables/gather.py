"""The tables of a run (results, images, curves, timing, summary), made from its requests and its store."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from heatmark.benchmarks.statistics.gap_closed import gap_closed
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.variants import told_apart
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.columns import (
    CURVES_COLUMNS,
    IMAGES_COLUMNS,
    RESULTS_COLUMNS,
    TIMED,
    TIMING,
    TIMING_COLUMNS,
    schema,
)
from heatmark.benchmarks.tables.curves import curves
from heatmark.benchmarks.tables.described import described
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.images import images
from heatmark.benchmarks.tables.jobs import jobs
from heatmark.benchmarks.tables.places import Place, places
from heatmark.benchmarks.tables.repeats import originals
from heatmark.benchmarks.tables.results import cell_columns, results
from heatmark.benchmarks.tables.writing import publish, replaced, stream

__all__ = ["gather", "publish"]

LOG = logging.getLogger(__name__)


def gather(run: Path) -> pd.DataFrame:
    """Write the tables of :mod:`.columns` and provenance.json; return the results.

    A table has the rows that the run's requests ask for and its store has. ``summary.csv`` is the leaderboard
    (:func:`heatmark.benchmarks.statistics.leaderboard.leaderboard`); ``gap_closed.csv``
    (:func:`heatmark.benchmarks.statistics.gap_closed.gap_closed`) is there where the run has searched maps.

    Args:
        run: folder of the run. Tables that are there already are replaced.

    Raises:
        ValueError: where the folder holds no requests, or one that is damaged.
    """
    known = jobs(run)
    if not known:
        raise ValueError(
            f"no run in {run}: expected a folder that heatmark sweep has written; check name= and results_dir="
        )
    store, asked = Store(run), places(known)
    pictures = {job: described(job, store) for job in known}
    rows = results(store, asked, originals(asked, store), pictures)
    stream(rows, schema(RESULTS_COLUMNS), run / "results.parquet")
    stream(images(pictures), schema(IMAGES_COLUMNS), run / "images.parquet")
    stream(timing(store, asked), schema(TIMING_COLUMNS), run / "timing.parquet")
    stream(curves(store, asked), schema(CURVES_COLUMNS), run / "curves.parquet")
    facts = {"jobs": [job.facts() for job in known]}
    replaced(run / "provenance.json", lambda path: path.write_text(json.dumps(facts, indent=1)))
    found = read_table(run / "results.parquet")
    replaced(run / "summary.csv", lambda path: leaderboard(told_apart(found)).to_csv(path, index=False))
    if len(gaps := gap_closed(told_apart(found))):
        replaced(run / "gap_closed.csv", lambda path: gaps.to_csv(path, index=False))
    return found


def whole(run: Path) -> bool:
    """Return whether every stored part of a run is as its checksum says; others are named and set aside.

    What they held counts as absent, and the same sweep, started again, computes it anew.
    """
    damaged = Store(run).verify()
    if damaged:
        names = ", ".join(path.name for path in damaged)
        LOG.warning("set aside as damaged: %s; the same heatmark sweep, started again, computes what they held", names)
    return not damaged


def timing(store: Store, asked: Sequence[Place]) -> Iterator[pa.Table]:
    """Yield the timing table: one row per cell and batch size (and device) that was timed."""
    batches = [pa.Table.from_batches([batch]) for batch in store.batches("timings", ["maps", "status", *TIMED])]
    if not batches:
        return
    stored = pa.concat_tables(batches).to_pandas().drop_duplicates(["key", "row", "status"])
    of_maps = dict(iter(stored[stored["status"] == "ok"].groupby("maps")))
    places = [place for place in asked if place.cell.key in of_maps and not place.cell.replicate]
    rows = [of_maps[place.cell.key][TIMED].assign(**cell_columns(place)) for place in places]
    if rows:
        yield pa.Table.from_pandas(pd.concat(rows)[TIMING], schema=schema(TIMING_COLUMNS), preserve_index=False)

"""The tables of a run, made from what its jobs ask for and what its store has."""

import json
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Request
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.asked import Asked, asked
from heatmark.benchmarks.tables.curves import write_curves
from heatmark.benchmarks.tables.derived import derived_rows
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.repeats import map_of
from heatmark.benchmarks.tables.results import RESULTS, result_rows, stored
from heatmark.benchmarks.tables.timing import timing_rows

NUMBERS = ("depth", "value", "tied", "tie_low", "tie_high")
RESULTS_SCHEMA = pa.schema(
    {
        name: pa.float64() if name in NUMBERS else pa.bool_() if name == "higher_is_better" else pa.string()
        for name in RESULTS
    }
)
log = logging.getLogger(__name__)


def gather(run: Path) -> pd.DataFrame:
    """Write a run's tables (results, timing, curves) and provenance.json; return the results.

    Args:
        run: folder of the run. Tables that are there already are replaced.

    Raises:
        ValueError: where the folder holds no request, or one that cannot be read.
    """
    jobs = requests.current(run)
    if not jobs:
        raise ValueError(
            f"no run in {run}: expected a folder that heatmark sweep has written; check name= and results_dir="
        )
    store, settings = Store(run), asked(jobs)
    for damaged in store.verify():
        log.warning("%s was damaged and is set aside; run the same sweep again to compute it anew", damaged)
    replace(run / "results.parquet", lambda path: _write_results(path, _results(store, settings, jobs)))
    replace(run / "curves.parquet", lambda path: write_curves(path, store, settings))
    publish(timing_rows(store, settings), run / "timing")
    facts = {"jobs": [_facts(job, settings) for job in jobs]}
    replace(run / "provenance.json", lambda path: path.write_text(json.dumps(facts, indent=1)))
    return read_table(run / "results.parquet")


def _results(store: Store, settings: Sequence[Asked], jobs: Sequence[Request]) -> Iterator[pd.DataFrame]:
    yield failed_jobs(jobs)
    rows = stored(store, settings)
    for a in settings:
        same = map_of(a, store)
        derived = (a.scores["key"] == "").any()
        kept = []
        for part in result_rows(a, rows):
            yield part.assign(map_of=part["cell"].map(same).fillna("") if "cell" in part else "")
            if derived and "metric" in part:
                kept.append(part)
        if kept:
            more = derived_rows(a, pd.concat(kept, ignore_index=True))
            yield more.assign(map_of=more["cell"].map(same).fillna(""))


def failed_jobs(jobs: Iterable[Request]) -> pd.DataFrame:
    """Return an error row for every job that could not begin."""
    failed = [job.facts for job in jobs if job.facts.get("status") == "error"]
    columns = ["model", "dataset", "status", "reason"]
    return pd.DataFrame([{name: facts.get(name, "") for name in columns} for facts in failed], columns=columns)


def _write_results(path: Path, parts: Iterable[pd.DataFrame]) -> None:
    with parquet.ParquetWriter(path, RESULTS_SCHEMA, compression="zstd") as writer:
        for part in parts:
            if len(part):
                writer.write_table(_table(part))


def _table(part: pd.DataFrame) -> pa.Table:
    """Return rows as the table has them: a missing text is ``""``, a missing number NaN, a missing direction null."""
    columns = {}
    for field in RESULTS_SCHEMA:
        values = part[field.name] if field.name in part else pd.Series([None] * len(part), dtype=object)
        if pa.types.is_string(field.type):
            columns[field.name] = pa.array(values.fillna("").astype(str), pa.string())
        elif pa.types.is_boolean(field.type):
            columns[field.name] = pa.array(values.astype(object).where(values.notna(), None), pa.bool_())
        else:
            columns[field.name] = pa.array(values.astype(float).to_numpy(np.float64), pa.float64())
    return pa.table(columns, schema=RESULTS_SCHEMA)


def _facts(job: Request, settings: Sequence[Asked]) -> dict[str, Any]:
    """Return a job's facts for provenance.json; its weights are named as in the tables."""
    names = {(a.facts["model"], a.facts["weights_digest"]): a.facts["weights"] for a in settings}
    place = (job.facts.get("model"), job.facts.get("weights_digest"))
    return {**job.facts, **({"weights": names[place]} if place in names else {})}


def publish(frame: pd.DataFrame, stem: Path) -> None:
    """Write a table as parquet and as CSV; a reader sees the old file or the new one, never a part of one."""
    replace(stem.with_suffix(".parquet"), lambda path: frame.to_parquet(path, index=False))
    replace(stem.with_suffix(".csv"), lambda path: frame.to_csv(path, index=False))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let a function write a file beside another one, which it then replaces."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # two processes may gather at once
    write(beside)
    beside.replace(path)

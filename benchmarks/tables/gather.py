"""The tables of a run (results, timing, curves), written from its stored cells as parquet and CSV."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heatmark.benchmarks.schema import CELL_KEY, OF_CELLS
from heatmark.benchmarks.store import Array, Measured, Record, Store
from heatmark.benchmarks.tables.naming import Weights, weights_names

TIES = ["tied", "tie_low", "tie_high"]
RESULTS = [
    *CELL_KEY, *OF_CELLS, "image", "group", "target", "metric", "definition", "value", *TIES, "higher_is_better",
    "status", "reason",
]  # fmt: skip
TIMED = ["batch_size", "latency_ms", "latency_iqr_ms", "forward_ms", "cost_in_forwards", "peak_memory_mib", "repeats"]
TIMING = [*CELL_KEY, *TIMED]
CURVES = [*CELL_KEY, "image", "metric", "definition", "fraction", "score"]


def gather(run: Path) -> pd.DataFrame:
    """Write a run's results, timing and curves (each as parquet and CSV) and provenance.json; return the results.

    Args:
        run: folder of the run. Tables that are there already are replaced.

    Raises:
        ValueError: where the folder holds neither cells nor jobs.
    """
    store = Store(run)
    records, jobs = named(list(store.read()), store.jobs())
    if not records and not jobs:
        raise ValueError(
            f"no run in {run}: expected a folder that heatmark sweep has written; check name= and results_dir="
        )
    results = table([*failed_jobs(jobs), *flatten(records, result_rows)], RESULTS)
    publish(results, run / "results")
    publish(table(flatten(records, timing_rows), TIMING), run / "timing")
    publish(table(flatten(records, curve_rows), CURVES), run / "curves")
    _replace(run / "provenance.json", lambda path: path.write_text(json.dumps({"jobs": jobs}, indent=1)))
    return results


def named(records: Sequence[Record], jobs: Sequence[dict[str, Any]]) -> tuple[list[Record], list[dict[str, Any]]]:
    """Return records and jobs in which no two sets of weights of one model share a name (:mod:`.naming`)."""
    known = {_weights(job): str(job.get("checkpoint", "")) for job in jobs}
    names = weights_names(known, [_weights(record.columns) for record in records])
    return (
        [replace(r, columns={**r.columns, "weights": names[_weights(r.columns)]}) for r in records],
        [{**job, "weights": names[_weights(job)]} if "weights" in job else job for job in jobs],
    )


def _weights(facts: Mapping[str, Any]) -> Weights:
    return Weights(str(facts.get("model", "")), str(facts.get("weights", "")), str(facts.get("weights_digest", "")))


def flatten(records: Iterable[Record], rows: Callable[[Record], Iterator[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return every record's rows, each with the columns that are the same in all rows of its cell."""
    return [{"cell": r.key, **r.columns, **row} for r in records for row in rows(r)]


def result_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row per metric and image; of a skipped or failed cell, one row with its reason."""
    if record.status != "ok":
        yield {"status": record.status, "reason": record.reason}
    for metric, measured in record.metrics.items():
        for position, image in enumerate(record.images):
            flag = record.flags[position]
            yield {
                "image": image,
                "group": record.groups[position] if record.groups else "",
                "target": str(record.targets[position]),
                **_metric(metric, measured),
                "value": float(measured.values[position]),
                **{column: _at(getattr(measured, column), position) for column in TIES},
                "higher_is_better": measured.higher_is_better,
                "status": "degenerate" if flag else "ok",
                "reason": flag,
            }


def _at(numbers: Array | None, position: int) -> float:
    return float("nan") if numbers is None else float(numbers[position])


def timing_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row per batch size that was timed."""
    yield from record.timing


def curve_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Yield one row per metric, image and point of the curve."""
    for metric, measured in record.metrics.items():
        if measured.fractions is None or measured.scores is None:
            continue
        for image, scores in zip(record.images, measured.scores, strict=True):
            for fraction, score in zip(measured.fractions, scores, strict=True):
                yield {"image": image, **_metric(metric, measured), "fraction": float(fraction), "score": float(score)}


def _metric(name: str, measured: Measured) -> dict[str, str]:
    return {"metric": name, "definition": measured.definition}


def failed_jobs(jobs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an error row for every job that could not begin."""
    return [
        {"model": job["model"], "dataset": job["dataset"], "status": "error", "reason": job["reason"]}
        for job in jobs
        if job["status"] == "error"
    ]


def table(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return rows as a table, sorted by dataset, model, layer, method and cell.

    A missing text is ``""``, a missing number NaN, a missing ``higher_is_better`` False; no value is None.
    """
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    numbers = [c for c in columns if c in {*TIMED, "depth", "value", *TIES, "fraction", "score"}]
    texts = [c for c in columns if c not in {*numbers, "higher_is_better"}]
    frame[numbers] = frame[numbers].replace("", np.nan).astype("float64")
    frame[texts] = frame[texts].fillna("").astype(str)
    if "higher_is_better" in frame:
        frame["higher_is_better"] = frame["higher_is_better"].fillna(False).astype(bool)
    order = ["dataset", "model", "layer", "method", "cell"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def publish(frame: pd.DataFrame, stem: Path) -> None:
    """Write a table as parquet and as CSV; a reader sees the old file or the new one, never a part of one."""
    _replace(stem.with_suffix(".parquet"), lambda path: frame.to_parquet(path, index=False))
    _replace(stem.with_suffix(".csv"), lambda path: frame.to_csv(path, index=False))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # two processes may gather at once
    write(beside)
    beside.replace(path)

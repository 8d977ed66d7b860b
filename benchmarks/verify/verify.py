"""A run verified: random or named rows of it, computed again from the reader's own weights and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.jobs import Job, jobs
from heatmark.benchmarks.tables.places import places
from heatmark.benchmarks.verify.identities import Found, found
from heatmark.benchmarks.verify.jobs import device_of, matching, tolerance
from heatmark.benchmarks.verify.pictures import Chosen, by_digest
from heatmark.benchmarks.verify.recompute import Recomputed, recompute, seed_of
from heatmark.benchmarks.verify.unasked import UNASKED, unasked
from heatmark.benchmarks.verify.verdicts import CANNOT, DEVIATES, EQUAL, Verdict, cannot, verdict
from heatmark.benchmarks.verify.which import Which
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric

OF_ROW = ["model", "dataset", "target_rule", "layer", "method", "options", "image", "metric", "definition", "replicate"]
COLUMNS = [*OF_ROW, "digest", "recorded", "here", "difference", "verdict", "note"]
BEST_FIRST = [EQUAL, DEVIATES, CANNOT]
"""Of a row that several jobs ask for the best verdict counts: their batch sizes may differ, and one job computed it."""


def verify(
    run: Path,
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    asked: Which,
) -> pd.DataFrame:
    """Recompute rows of a run's results from the reader's weights and pictures, and say how they compare.

    Jobs are matched by the network's digest or name, pictures by their digests, methods and metrics by the keys of what
    they computed. A row of the table that no job of the run asks for cannot be verified, whatever pictures are asked
    for. Nothing in the run's folder is executed or written.

    Args:
        run: a run's folder with its tables, or an exported one.
        classifier: the reader's model.
        dataset: the reader's pictures.
        methods, metrics: of the reader, by any names.
        asked: which rows.

    Returns:
        One row per verified row of the results table, with ``recorded`` and ``here`` (the two values), ``difference``,
        ``verdict`` (``equal``: the same bits, or up to :data:`.jobs.TOLERANCE` on another device or with another
        PyTorch; ``deviates``; ``cannot``) and ``note`` (what is missing or differs).

    Raises:
        ValueError: where the run has no tables, no such job or name, or no row is asked for.
    """
    table = run / "results.parquet"
    if not table.exists():
        raise ValueError(f"{run} has no results.parquet: expected a run or an export; heatmark gather {run} writes it")
    matched = matching(run, classifier)
    asked.require_known(matched)
    reader = _Reader(classifier, dataset, by_digest(dataset), methods, metrics)
    recorded = _asked_for(read_table(table), asked).reset_index(names="number")
    rows = [row for job in matched for row in _of_job(job, recorded, reader, asked)]
    strange: list[Any] = recorded[unasked(recorded, jobs(run))].to_dict("records")
    result = pd.DataFrame([*rows, *(_told(row, "", cannot(UNASKED)) for row in strange)], columns=[*COLUMNS, "number"])
    if result.empty:
        raise ValueError(f"no row of {run} is of such a picture, method, layer and metric at once")
    best = result.sort_values("verdict", key=lambda words: words.map(BEST_FIRST.index), kind="stable")
    return best.drop_duplicates("number").sort_index()[COLUMNS].reset_index(drop=True)


@dataclass(frozen=True)
class _Reader:
    """What the reader has: a model, pictures and their positions by digest, methods, metrics."""

    classifier: Classifier
    dataset: Dataset
    places: Mapping[str, Sequence[int]]
    methods: Mapping[str, Method]
    metrics: Mapping[str, Metric]


def _asked_for(table: pd.DataFrame, asked: Which) -> pd.DataFrame:
    """Return the rows of single pictures under a metric that pass the filters."""
    keep = (table["image"] != "") & (table["metric"] != "")
    for option in ("method", "layer", "metric"):
        if wanted := getattr(asked, option):
            keep &= table[option].isin(list(wanted))
    return table[keep]


def _of_job(job: Job, table: pd.DataFrame, reader: _Reader, asked: Which) -> Iterator[dict[str, Any]]:
    entries = {entry.image: entry for entry in asked.entries(job, reader.places)}
    needs = {
        (place.cell.key, place.cell.method, *metric): asked.metric.needs
        for place in places([job])
        for metric, asked in place.asked.items()
    }
    here = table[(table[SETTING] == [job.setting[name] for name in SETTING]).all(axis=1)]
    every: list[Any] = here[here["image"].isin(list(entries))].to_dict("records")
    rows = [row for row in every if _score(row) in needs]  # the others are other jobs' of this setting
    at_hand = found(job.request, reader.methods, reader.metrics, seed_of(job))
    computed = _recomputed(job, rows, entries, reader, at_hand, asked)
    limit = tolerance(job, device_of(job, asked.device))
    for row in rows:
        entry = entries[row["image"]]
        reason = _obstacle(row, entry, reader, at_hand)
        said = cannot(reason) if reason else verdict(row, entry, computed, needs[_score(row)], limit)
        yield _told(row, entry.digest, said)


def _score(row: Mapping[str, Any]) -> tuple[str, str, str, str, int]:
    """Return which score a row is of: cell, method, metric and the metric's definition, replicate."""
    return row["maps"], row["method"], row["metric"], row["definition"], row["replicate"]


def _recomputed(
    job: Job, rows: list[Any], entries: Mapping[str, Entry], reader: _Reader, at_hand: Found, asked: Which
) -> Recomputed:
    """Return what a sweep gives of those of these rows that can be recomputed."""
    able = [row for row in rows if not _obstacle(row, entries[row["image"]], reader, at_hand)]
    names = {row["metric"] for row in able}
    names |= {term for metric in job.request.metrics if metric.name in names for term in metric.terms}
    chosen = {entries[row["image"]].digest: entries[row["image"]].target for row in reversed(able)}
    places = [(place, target) for digest, target in sorted(chosen.items()) for place in reader.places[digest]]
    return recompute(
        job,
        reader.classifier,
        Chosen(reader.dataset, [place for place, _ in places]),
        [target for _, target in places],
        {name: method for name, method in at_hand.methods.items() if name in {row["method"] for row in able}},
        {name: metric for name, metric in at_hand.metrics.items() if name in names},
        sorted({row["layer"] for row in able} - {"input"}),
        device_of(job, asked.device),
    )


def _obstacle(row: Mapping[str, Any], entry: Entry, reader: _Reader, at_hand: Found) -> str:
    """Return what of the reader's a row lacks; ``""`` where it lacks nothing."""
    if entry.digest not in reader.places:
        count = len(reader.places)
        return f"the picture {entry.image} (digest {entry.digest}) is not among the {count} given"
    return at_hand.obstacle(row["method"], row["metric"])


def _told(row: Mapping[str, Any], digest: str, said: Verdict) -> dict[str, Any]:
    own = {name: row[name] for name in [*OF_ROW, "number"]}
    return {**own, "digest": digest, "recorded": row["value"], **said._asdict()}

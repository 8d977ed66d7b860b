"""The pictures of a job as columns: what they show, what the model predicts for them, and the class explained."""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.jobs import Job
from heatmark.benchmarks.tables.stored import Ints, Stored, one_array

OF_ENTRIES = pa.schema(
    {
        **dict.fromkeys(("image", "group", "label", "predicted"), pa.string()),
        "correct": pa.bool_(),
        **dict.fromkeys(("target", "target_name", "status", "reason", "digest"), pa.string()),
        "position": pa.int64(),
    }
)


def described(job: Job, store: Store) -> pa.Table:
    """Return one row per picture of a job, in the order of :attr:`.jobs.Job.entries`.

    Its columns are ``image, group, label, predicted, correct, probability, target, target_name, top, top_probability,
    status, reason, digest, position``, as in the table of images.

    Args:
        job: the job.
        store: the run's store, for the probabilities.
    """
    entries, classes = job.entries, [str(name) for name in job.request.facts.get("classes", ())]
    table = pa.Table.from_pylist([_described(entry, classes) for entry in entries], schema=OF_ENTRIES)
    top, probabilities = _predictions(job, entries, store)
    first = [float(each[0]) if each else float("nan") for each in probabilities.to_pylist()]
    columns = {
        "probability": pa.array(first, pa.float64()),
        "top": pa.ListArray.from_arrays(top.offsets, _names(top.values, classes)),
        "top_probability": probabilities,
    }
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def class_name(number: int, classes: Sequence[str], unnamed: str = "") -> str:
    """Return a class's name, else ``unnamed``, else its number, ``""`` for the negative number of no class."""
    if 0 <= number < len(classes) and classes[number]:
        return classes[number]
    return unnamed or ("" if number < 0 else str(number))


def _described(entry: Entry, classes: Sequence[str]) -> dict[str, object]:
    known = entry.label_index >= 0 and entry.predicted >= 0
    return {
        "image": entry.image,
        "group": entry.group,
        "label": class_name(entry.label_index, classes, entry.label),
        "predicted": class_name(entry.predicted, classes),
        "correct": entry.predicted == entry.label_index if known else None,
        "target": "" if entry.target < 0 else str(entry.target),
        "target_name": class_name(entry.target, classes),
        "status": "error" if entry.reason else "ok",
        "reason": entry.reason,
        "digest": entry.digest,
        "position": entry.position,
    }


def _predictions(job: Job, entries: Collection[Entry], store: Store) -> tuple[pa.ListArray, pa.ListArray]:
    """Return the most probable classes of each picture and their probabilities; empty lists where unknown."""
    key = job.request.predictions
    stored = Stored(store.read("predictions", [key], ["top", "probability"]))
    found = stored.find(key, pa.array([entry.digest for entry in entries], pa.string()))
    return _lists(stored.table["top"], found), _lists(stored.table["probability"], found)


def _lists(column: pa.ChunkedArray, positions: Ints) -> pa.ListArray:
    """Return lists at some positions, an empty one where absent."""
    lists = pa.concat_arrays([one_array(column), pa.array([[]], column.type)])
    return lists.take(pa.array(positions % len(lists)))


def _names(numbers: pa.Array, classes: Sequence[str]) -> pa.Array:
    count = 1 + int(np.max(numbers.to_numpy(zero_copy_only=False), initial=-1))
    return pa.array([class_name(number, classes) for number in range(count)], pa.string()).take(numbers)

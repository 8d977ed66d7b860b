"""The curves table, sorted by cell, in flat memory: stored curves go through files on disk, some cells at a time."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.asked import Asked

SCHEMA = pa.schema(
    {
        "cell": pa.string(), "image": pa.string(), "metric": pa.string(), "definition": pa.string(),
        "fraction": pa.list_(pa.float32()), "score": pa.list_(pa.float32()),
    }
)  # fmt: skip
BUCKETS = 32
GROUP_ROWS = 2048
"""Rows per row group, so that a reader of a few cells reads a small part of the file."""


def write_curves(path: Path, store: Store, settings: Sequence[Asked]) -> None:
    """Write one row per cell, curve and picture, in the order of cells' ids.

    Args:
        path: the parquet file.
        store: the run's store.
        settings: what is asked for.
    """
    wanted = pd.concat([_wanted(a, number) for number, a in enumerate(settings)], ignore_index=True)
    wanted = wanted.sort_values(["cell", "metric", "definition"], kind="stable", ignore_index=True)
    keys = pd.Index(wanted["curve"].unique())
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".curves-") as folder,
        parquet.ParquetWriter(path, SCHEMA, compression="zstd", compression_level=1, use_dictionary=_coded()) as writer,
    ):
        files = _spread(store, wanted, keys, Path(folder))
        for bucket, part in wanted.groupby(_bucket_of(wanted)):
            for table in _rows(files.get(int(bucket)), part, keys, settings):
                writer.write_table(table, row_group_size=GROUP_ROWS)


def _coded() -> list[str]:
    """Return the columns that repeat few values."""
    return ["cell", "image", "metric", "definition", "fraction.list.element"]


def _wanted(a: Asked, number: int) -> pd.DataFrame:
    curved = a.scores[(a.scores["curve"] != "") & (a.scores["skipped"] == "")]
    return curved[["cell", "metric", "definition", "curve"]].assign(setting=number)


def _bucket_of(wanted: pd.DataFrame) -> "pd.Series[int]":
    """Return the bucket of each row: neighbouring cells share one."""
    cells = pd.factorize(wanted["cell"])[0]
    return pd.Series(cells * BUCKETS // max(1, cells.max(initial=0) + 1), index=wanted.index)


def _spread(store: Store, wanted: pd.DataFrame, keys: pd.Index, folder: Path) -> Mapping[int, Path]:
    """Write every stored curve into the files of the buckets that ask for it; return the files."""
    buckets = defaultdict(set)
    for key, bucket in zip(keys.get_indexer(wanted["curve"]), _bucket_of(wanted), strict=True):
        buckets[int(bucket)].add(int(key))
    known = pa.array(keys, pa.string())
    members = {bucket: pa.array(sorted(which), pa.int32()) for bucket, which in buckets.items()}
    files: dict[int, Path] = {}
    writers: dict[int, pa.ipc.RecordBatchFileWriter] = {}
    for table in _stored(store, known):
        for bucket, which in members.items():
            part = table.filter(pc.is_in(table["key"], value_set=which))
            if len(part):
                if bucket not in writers:
                    files[bucket] = folder / f"{bucket}.arrow"
                    writers[bucket] = pa.ipc.new_file(str(files[bucket]), part.schema)
                writers[bucket].write_table(part)
    for writer in writers.values():
        writer.close()
    return files


def _stored(store: Store, known: pa.Array) -> Iterator[pa.Table]:
    """Yield the stored curves that are asked for: number of their key, row, x and y."""
    for batch in store.batches("curves", ["status", "x", "y"]):
        table = pa.Table.from_batches([batch])
        numbers = pc.index_in(table["key"].cast(pa.string()), value_set=known)
        good = pc.and_(pc.is_valid(numbers), pc.not_equal(table["status"], "error"))
        part = pa.table({"key": numbers, **{name: table[name] for name in ("row", "x", "y")}}).filter(good)
        if len(part):
            yield part


def _rows(file: Path | None, wanted: pd.DataFrame, keys: pd.Index, settings: Sequence[Asked]) -> Iterator[pa.Table]:
    """Yield the rows of some cells, each asked for once per metric."""
    if file is None:
        return
    table = pa.ipc.open_file(str(file)).read_all()
    ids = pd.DataFrame({"key": table["key"].to_numpy(), "row": table["row"].to_pandas(), "at": range(len(table))})
    by_key = {number: part.drop_duplicates("row").set_index("row")["at"] for number, part in ids.groupby("key")}
    for asked in wanted.itertuples(index=False):
        at = by_key.get(int(keys.get_loc(asked.curve)))
        if at is not None:
            yield _of_one(table, at, asked, settings[asked.setting])


def _of_one(table: pa.Table, at: "pd.Series[int]", asked: object, a: Asked) -> pa.Table:
    places = at.reindex([entry.row() for entry in a.entries])
    there = places.notna().to_numpy()
    images = np.array([entry.image for entry in a.entries], dtype=object)[there]
    taken = table.take(pa.array(places[there].astype(np.int64)))
    texts = {name: pa.repeat(str(getattr(asked, name)), len(images)) for name in ("cell", "metric", "definition")}
    columns = {**texts, "image": pa.array(images, pa.string()), "fraction": taken["x"], "score": taken["y"]}
    return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)

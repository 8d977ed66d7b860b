"""Stored rows by their numbers: which key, which picture; read in one stream, without an object per row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from heatmark.benchmarks.store import Store

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Found:
    """Rows of an artefact, found by key and row.

    Args:
        keys: the keys, by number.
        rows: the ids of rows, by number.
        places: of every stored row, the key's number × the number of rows + the row's number, ascending.
        columns: the stored columns, in this order.
    """

    keys: pd.Index
    rows: pd.Index
    places: Numbers
    columns: pd.DataFrame

    def grid(self, keys: Sequence[str], rows: Sequence[str]) -> Numbers:
        """Return the number of each stored row in ``columns``, (keys, rows); −1 where it is not stored."""
        key, row = (known.get_indexer(pd.Index(asked)) for known, asked in ((self.keys, keys), (self.rows, rows)))
        wanted = np.where(key < 0, -1, key)[:, None] * len(self.rows) + row[None]
        wanted[key < 0] = -1
        at = np.searchsorted(self.places, wanted)
        at[at == len(self.places)] = 0
        there = (self.places[at] == wanted) if len(self.places) else np.zeros(wanted.shape, bool)
        numbers: Numbers = np.where(there, at, -1)
        return numbers

    def take(self, column: str, numbers: Numbers, missing: object) -> NDArray[Any]:
        """Return a column's values at these numbers; ``missing`` where a number is −1."""
        values = self.columns[column].to_numpy()
        if not len(values):
            return np.full(numbers.shape, missing)
        found: NDArray[Any] = np.where(numbers >= 0, values[numbers], missing)
        return found


def found(store: Store, artefact: str, columns: Sequence[str], keys: Sequence[str], rows: Sequence[str]) -> Found:
    """Return the stored rows of these keys and rows: each once, a success rather than an error.

    Args:
        store: the run's store.
        artefact: whose rows.
        columns: names of columns beside ``status``.
        keys: keys that are asked for.
        rows: ids of rows that are asked for.
    """
    known_keys, known_rows = pd.Index(dict.fromkeys(keys)), pd.Index(dict.fromkeys(rows))
    key_set, row_set = pa.array(known_keys, pa.string()), pa.array(known_rows, pa.string())
    places, parts = [np.empty(0, np.int64)], []
    for batch in store.batches(artefact, ["status", *columns]):
        key, row = (_numbers(batch[name], known) for name, known in (("key", key_set), ("row", row_set)))
        asked = (key >= 0) & (row >= 0)
        if asked.any():
            places.append(key[asked] * len(known_rows) + row[asked])
            parts.append(_frame(batch, ["status", *columns], asked))
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in ["status", *columns]})
    return _sorted(
        known_keys, known_rows, np.concatenate(places), pd.concat(parts, ignore_index=True) if parts else empty
    )


def _numbers(column: Any, known: pa.Array) -> Numbers:
    """Return the number of every text among the known ones, −1 for others."""
    plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    numbers: Numbers = pc.index_in(plain, value_set=known).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _frame(batch: pa.RecordBatch, columns: Sequence[str], asked: NDArray[np.bool_]) -> pd.DataFrame:
    table = pa.Table.from_batches([batch]).select(columns).filter(pa.array(asked))
    frame: pd.DataFrame = table.to_pandas(strings_to_categorical=False)
    return frame


def _sorted(keys: pd.Index, rows: pd.Index, places: Numbers, columns: pd.DataFrame) -> Found:
    failed = (columns["status"] == "error").to_numpy()
    order = np.lexsort((failed, places))
    places = places[order]
    first = np.ones(len(places), dtype=bool)
    first[1:] = places[1:] != places[:-1]
    return Found(keys, rows, places[first], columns.iloc[order[first]].reset_index(drop=True))

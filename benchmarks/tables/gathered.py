"""A reader of the tables that ``heatmark gather`` writes; tables of older versions are refused."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from heatmark.benchmarks.schema import DIGESTS
from heatmark.benchmarks.tables.stored import one_array


def read_table(path: Path, columns: Sequence[str] | None = None, cells: Collection[str] | None = None) -> pd.DataFrame:
    """Return a table (results, images, timing or curves) of a run.

    Texts are plain objects, of which equal ones are shared; ``higher_is_better`` and ``correct`` are nullable booleans.

    Args:
        path: its parquet file.
        columns: names of columns; None for all.
        cells: keys of cells, whose rows alone are read; None for all.

    Raises:
        ValueError: where an older version gathered it, without the key of the cell or what tells equal names apart.
    """
    known = parquet.read_schema(path)
    if missing := [name for name in _needed(path) if name not in known.names]:
        raise ValueError(
            f"{path} lacks the columns {', '.join(missing)}: an older version gathered it; gather it again from the "
            f"run's requests with heatmark gather name={path.parent.name} (and results_dir=, where that is given), or, "
            "where that finds none, sweep again under another name"
        )
    texts = [field.name for field in known if _is_text(field.type)]
    chosen = None if cells is None else [("cell", "in", sorted(cells) or [""])]
    table = parquet.read_table(
        path, columns=columns, filters=chosen, read_dictionary=texts, partitioning=None, use_threads=False
    )
    return pd.DataFrame({name: _values(table[name]) for name in table.column_names})


def _values(column: pa.ChunkedArray) -> "pd.Series[Any]":
    """Return a column as pandas holds it."""
    if pa.types.is_dictionary(column.type):
        return _shared(one_array(column.unify_dictionaries()))
    if _is_text(column.type):
        return _shared(one_array(column).dictionary_encode())
    if pa.types.is_boolean(column.type):
        return pd.Series(column.to_pandas(), dtype="boolean")
    return pd.Series(column.to_numpy())


def _shared(texts: pa.DictionaryArray) -> "pd.Series[Any]":
    """Return texts as a column of objects, of which equal ones are one; null is ``""``."""
    known = np.array([*texts.dictionary.to_pylist(), ""], object)
    return pd.Series(known[texts.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)], dtype=object)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _needed(path: Path) -> list[str]:
    if path.stem == "curves":
        return ["cell"]
    if path.stem == "images":
        return DIGESTS
    return ["cell", *DIGESTS, *(["group", "maps", "map_of"] if path.stem == "results" else [])]

"""Writers of tables: a reader sees the old file or the new one, never a part of one."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

T = TypeVar("T")
LISTS = ".list.element"


def publish(frame: pd.DataFrame, stem: Path) -> None:
    """Write a table as parquet and as CSV."""
    replaced(stem.with_suffix(".parquet"), lambda path: frame.to_parquet(path, index=False))
    replaced(stem.with_suffix(".csv"), lambda path: frame.to_csv(path, index=False))


def grouped(items: Iterable[T], rows: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Yield items that follow one another in groups of at most this many rows, or of one item.

    Args:
        items: what has rows.
        rows: the number of rows of an item.
        most: the largest number of rows of several items.
    """
    group: list[T] = []
    size = 0
    for item in items:
        count = rows(item)
        if group and size + count > most:
            yield group
            group, size = [], 0
        group.append(item)
        size += count
    if group:
        yield group


def stream(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Write tables one after another into a parquet file, each as a group of rows that can be read alone.

    The smallest and the largest ``cell`` of each group are recorded, so that a reader finds a cell's groups.
    """
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    repeated = [field.name + LISTS for field in schema if pa.types.is_list(field.type)]

    def write(beside: Path) -> None:
        with parquet.ParquetWriter(
            beside, schema, compression="zstd", compression_level=1, use_dictionary=[*texts, *repeated[:1]],
            write_statistics=["cell"], store_schema=False,
        ) as writer:  # fmt: skip
            for table in tables:
                writer.write_table(table, row_group_size=max(1, len(table)))

    replaced(path, write)


def replaced(path: Path, write: Callable[[Path], object]) -> None:
    """Replace a file by what ``write`` makes of another name beside it."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # two processes may gather at once
    write(beside)
    beside.replace(path)

"""Parts of the store: parquet files, each named by the checksum of its content, and the rows in them."""

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from heatmark.benchmarks.schema import SCHEMA

NAME = re.compile(r"([0-9a-f]{32})-([0-9]+)\.parquet")
"""The name of a part: the start of its SHA-256 and its size in bytes."""
GROUP_BYTES = 2**22
"""Size in memory of a row group, the unit that is read."""
VERSION = b"heatmark.schema"
"""Name of the schema's version in a part's metadata."""


def name_of(content: bytes) -> str:
    """Return the name of a part with this content."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}-{len(content)}.parquet"


def size_of(path: Path) -> int:
    """Return the size that a part's name says; −1 where it is no name of a part."""
    name = NAME.fullmatch(path.name)
    return int(name[2]) if name else -1


def encoded(rows: pa.Table, schema: pa.Schema) -> bytes:
    """Return the content of a part: the same bytes for equal rows.

    Args:
        rows: a table with the columns of the schema, in any order.
        schema: ``key``, ``row`` and the columns of an artefact.

    Raises:
        ValueError: for a table with other columns.
    """
    if set(rows.column_names) != set(schema.names):
        raise ValueError(f"the rows have the columns {sorted(rows.column_names)}, expected {sorted(schema.names)}")
    table = rows.select(schema.names).cast(schema).combine_chunks()
    most = max(1, GROUP_BYTES * len(table) // max(1, table.nbytes))
    sink = pa.BufferOutputStream()
    parquet.write_table(
        table.replace_schema_metadata({VERSION: str(SCHEMA)}),
        sink,
        row_group_size=1 << most.bit_length() - 1,  # rounded: equal tables may take a few bytes more or less
        compression="zstd",
        use_dictionary=[field.name for field in schema if pa.types.is_string(field.type)],
        write_page_checksum=True,
    )
    return bytes(sink.getvalue().to_pybytes())


def listed(folder: Path) -> Iterator[Path]:
    """Yield the parts of an artefact's folder; none where it does not exist."""
    try:
        places = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for place in (place for place in places if place.is_dir()):  # a file manager may leave files of its own
        for file in os.scandir(place.path):
            if file.name.endswith(".parquet"):  # those that are being written have another ending
                yield Path(file.path)


@contextmanager
def opened(path: Path) -> Iterator[parquet.ParquetFile]:
    """A part, opened to be read; reading checks the checksum of each page.

    Raises:
        ValueError: for a part whose size is not that of its name, or of another version of Heatmark; it names the part.
        OSError, pyarrow.ArrowException: for a file that cannot be read.
    """
    size = path.stat().st_size
    if size != size_of(path):
        raise ValueError(f"it has {size} bytes, and its name says another number")
    with parquet.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as part:
        found = (part.metadata.metadata or {}).get(VERSION, b"").decode()
        if found != str(SCHEMA):
            raise ValueError(f"the part {path} has schema {found or 'none'}, this version of Heatmark reads {SCHEMA}")
        yield part


def is_whole(path: Path) -> bool:
    """Whether a file is what its name says.

    Raises:
        FileNotFoundError: where there is no file of this name.
    """
    if path.is_symlink() and not path.exists():
        return False
    with path.open("rb") as file:
        digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    return path.name == f"{digest[:32]}-{size}.parquet"


def ids(part: parquet.ParquetFile) -> list[tuple[list[str], list[str]]]:
    """Return the distinct keys and row ids of each row group."""
    found = (part.read_row_group(n, ["key", "row"], use_threads=False) for n in range(part.num_row_groups))
    return [(group["key"].unique().to_pylist(), group["row"].unique().to_pylist()) for group in found]


def failed(rows: pa.Table) -> pa.Array:
    """Return whether each row is an error, (number of rows,); rows of an artefact without a status are none."""
    if "status" not in rows.column_names:
        return pa.array(np.zeros(len(rows), bool))
    return pc.fill_null(pc.equal(rows["status"], "error"), False)


def among(rows: pa.Table, column: str, values: Collection[str]) -> pa.Table:
    """Return the rows whose value in a column is one of these."""
    return rows.filter(pc.is_in(rows[column], pa.array(list(values), pa.string())))


def once(rows: pa.Table) -> NDArray[np.int64]:
    """Return the places of rows that are kept, sorted by key and row: each once, a success rather than an error."""
    found = pa.table({"key": rows["key"], "row": rows["row"], "failed": failed(rows)})
    order = pc.sort_indices(found, sort_keys=[(name, "ascending") for name in found.column_names])  # it is stable
    ordered = found.select(["key", "row"]).take(order)
    after, before = ordered.slice(1), ordered.slice(0, max(len(ordered) - 1, 0))
    first = np.ones(len(rows), bool)
    first[1:] = pc.or_(*(pc.not_equal(after[name], before[name]) for name in ("key", "row"))).to_numpy()
    kept: NDArray[np.int64] = order.to_numpy()[first].astype(np.int64)
    return kept

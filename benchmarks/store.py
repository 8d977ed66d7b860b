"""The store: a run's artefacts on disk, in parts that are each written whole or not at all."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
import secrets

from heatmark.benchmarks.schema import ARTEFACTS


class Store:
    """A run's artefacts: ``store/ARTEFACT/ab/….parquet``, each file a part.

    STAND-IN: slow and without safety; the real one keeps this interface.

    Args:
        root: the run's folder; it is made where it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, artefact: str, rows: pa.Table) -> None:
        """Store rows of one artefact as a part; nothing for no rows."""
        if not len(rows):
            return
        folder = self.root / "store" / artefact / "00"
        folder.mkdir(parents=True, exist_ok=True)
        parquet.write_table(rows, folder / f"{secrets.token_hex(8)}.parquet")

    def read(
        self,
        artefact: str,
        keys: Collection[str],
        columns: Sequence[str] | None = None,
        rows: Collection[str] | None = None,
    ) -> pa.Table:
        """Return the stored rows of these keys (and of these rows): each once, a success rather than an error."""
        wanted = None if columns is None else list(dict.fromkeys(["key", "row", *columns]))
        parts = [t for t in self._tables(artefact, wanted)]
        if not parts:
            return empty(artefact).select(wanted) if wanted else empty(artefact)
        table = pa.concat_tables(parts)
        table = table.filter(pc.is_in(table["key"].cast(pa.string()), pa.array(list(keys), pa.string())))
        if rows is not None:
            table = table.filter(pc.is_in(table["row"], pa.array(list(rows), pa.string())))
        frame = table.to_pandas()
        if "status" in frame:
            frame = frame.sort_values("status", key=lambda s: s == "error", kind="stable")
        frame = frame.drop_duplicates(["key", "row"]).sort_values(["key", "row"], kind="stable")
        return pa.Table.from_pandas(frame, preserve_index=False, schema=table.schema)

    def present(self, artefact: str, keys: Collection[str], errors: bool = True) -> dict[str, set[str]]:
        """Return the ids of the stored rows by key, without those that are errors where ``errors`` is false."""
        columns = ["status"] if "status" in ARTEFACTS[artefact].names else []
        found = self.read(artefact, keys, columns).to_pandas()
        if columns and not errors:
            found = found[found["status"] != "error"]
        return {str(key): set(part) for key, part in found.groupby("key")["row"]}

    def batches(self, artefact: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield all stored rows, part by part; a row may come twice."""
        for table in self._tables(artefact, None if columns is None else ["key", "row", *columns]):
            yield from table.to_batches()

    def verify(self) -> list[Path]:
        """Return nothing (stand-in)."""
        return []

    def _tables(self, artefact: str, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        for path in sorted((self.root / "store" / artefact).glob("*/*.parquet")):
            yield parquet.read_table(path, columns=columns).cast(
                full_schema(artefact)
                if columns is None
                else pa.schema([full_schema(artefact).field(c) for c in columns])
            )


def full_schema(artefact: str) -> pa.Schema:
    """Return the columns of an artefact with ``key`` and ``row``."""
    ids = [pa.field("key", pa.string()), pa.field("row", pa.string())]
    return pa.schema([*ids, *ARTEFACTS[artefact]])


def empty(artefact: str) -> pa.Table:
    """Return a table of an artefact without rows."""
    return full_schema(artefact).empty_table()

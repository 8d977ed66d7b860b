"""The store: a run's artefacts on disk, in parts that are each written whole or not at all."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from heatmark.benchmarks.disk import flush_folder, replace_file
from heatmark.benchmarks.index import Group, Index, Rows
from heatmark.benchmarks.parts import among, encoded, failed, ids, is_whole, listed, name_of, once, opened, size_of
from heatmark.benchmarks.schema import ARTEFACTS
from heatmark.common.names import look_up

LOG = logging.getLogger(__name__)
PART_BYTES = 2**26
"""Size up to which small parts are merged; one of more than half of it stays as it is."""
PART_ROWS = 2**18
"""Number of rows up to which small parts are merged, so that they fit in memory."""

T = TypeVar("T")


class Store:
    """A run's artefacts: ``store/ARTEFACT/ab/….parquet``, each file a part.

    Any number of processes may write, read and merge at the same time. A part that is not what its name says is named
    in a warning, moved to ``damaged/`` in the run's folder, and counts as absent. Whatever reads raises a ValueError
    for an unknown artefact or column, and for a part of another version of Heatmark.

    Args:
        root: the run's folder; it is made with the first part.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made: set[Path] = set()
        self._unusable: set[Path] = set()
        self._indexes = {artefact: Index() for artefact in ARTEFACTS}

    def put(self, artefact: str, rows: pa.Table) -> None:
        """Store rows of one artefact as a part, in their order; nothing for no rows. Equal tables are one part."""
        if len(rows):
            self._write(artefact, rows)

    def read(
        self,
        artefact: str,
        keys: Collection[str],
        columns: Sequence[str] | None = None,
        rows: Collection[str] | None = None,
    ) -> pa.Table:
        """Return the stored rows of these keys (and of these rows): each once, a success rather than an error.

        They are sorted by key and row. The columns are ``key``, ``row`` and those asked for, by default all.
        """
        names = full_schema(artefact, columns).names
        if rows is not None:  # a success never changes: where all are successes, there is nothing new to look for
            with suppress(FileNotFoundError):
                table = self._read(artefact, keys, columns, rows)
                if len(table) == len(set(keys)) * len(set(rows)) and not pc.any(failed(table)).as_py():
                    return table.select(names)
        return self._settled(artefact, lambda: self._read(artefact, keys, columns, rows)).select(names)

    def present(self, artefact: str, keys: Collection[str], errors: bool = True) -> dict[str, Rows]:
        """Return the ids of the stored rows of each of these keys, without errors where ``errors`` is false."""
        return self._settled(artefact, lambda: self._present(artefact, list(dict.fromkeys(keys)), errors))

    def batches(
        self, artefact: str, columns: Sequence[str] | None = None, keys: Collection[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield all stored rows (of these keys), about :data:`.parts.GROUP_BYTES` at a time; a row may come twice."""
        schema, index, done = full_schema(artefact, columns), self._indexes[artefact], set[Group]()
        while waiting := [g for g in self._settled(artefact, lambda: index.find(keys)) if g not in done]:
            done.update(waiting)
            for group in waiting:
                with suppress(FileNotFoundError):  # merged meanwhile: its rows are in a part that is found next
                    for table in self._groups([group], schema):
                        yield from (table if keys is None else among(table, "key", keys)).to_batches()

    def verify(self) -> list[Path]:
        """Return the parts whose content is not that of their checksum; they are set aside."""
        damaged = []
        for path in [path for artefact in ARTEFACTS for path in sorted(self._listed(artefact))]:
            with suppress(FileNotFoundError):  # merged meanwhile
                if not is_whole(path):
                    self._set_aside(path, "its checksum is another one")
                    damaged.append(path)
        return damaged

    def compact(self, artefact: str | None = None) -> None:
        """Merge small parts of an artefact, or of all; a row that is there twice is kept once.

        The merged part is on disk before the first of the others is removed.
        """
        for each in ARTEFACTS if artefact is None else [artefact]:
            for together in self._small(each):
                self._merge(each, together)

    def _small(self, artefact: str) -> list[list[Path]]:
        """Return small parts in groups that are to be one part each; parts of the same images stand together."""
        small = [path for path in self._listed(artefact) if size_of(path) <= PART_BYTES // 2]
        found: list[tuple[str, Path, int]] = []
        for path in small:
            with suppress(FileNotFoundError):
                if (origin := self._use(path, _origin)) is not None:
                    found.append((origin[0], path, origin[1]))
        groups: list[list[Path]] = [[]]
        size = rows = 0
        for _, path, count in sorted(found):
            size, rows = size + size_of(path), rows + count
            if size > PART_BYTES or rows > PART_ROWS:
                groups.append([])
                size, rows = size_of(path), count
            groups[-1].append(path)
        return groups

    def _merge(self, artefact: str, paths: Iterable[Path]) -> None:
        tables = {}
        for path in paths:
            with suppress(FileNotFoundError):
                if (table := self._use(path, lambda part: part.read(use_threads=False))) is not None:
                    tables[path] = table.cast(full_schema(artefact))
        if len(tables) < 2:
            return
        merged = pa.concat_tables(tables.values())
        new = self._write(artefact, merged.take(np.sort(once(merged))))
        for path in tables.keys() - {new}:
            path.unlink(missing_ok=True)

    def _write(self, artefact: str, rows: pa.Table) -> Path:
        content = encoded(rows, full_schema(artefact))
        name = name_of(content)
        path = self.root / "store" / artefact / name[:2] / name
        self._make(path.parent)
        replace_file(path, content)
        self._unusable.discard(path)
        return path

    def _make(self, folder: Path) -> None:
        """Make a folder that is there after a loss of power: its name is flushed, and those of the folders it is in."""
        if folder in self._made:
            return
        if folder == self.root:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)
        self._made.add(folder)

    def _listed(self, artefact: str) -> set[Path]:
        """Return the parts. They are listed twice: what is merged during the first time is met in the second."""
        folder = self.root / "store" / artefact
        return (set(listed(folder)) | set(listed(folder))) - self._unusable

    def _settled(self, artefact: str, find: Callable[[], T]) -> T:
        """Return what is found in all parts, looking again when one of them vanishes."""
        index = look_up("artefact", artefact, self._indexes)
        while True:
            there = self._listed(artefact)
            index.keep(there)
            try:
                for path in sorted(there - index.parts.keys()):
                    if (groups := self._use(path, ids)) is not None:
                        index.add(path, groups)
                return find()
            except FileNotFoundError:  # another process has set it aside or merged it
                continue

    def _read(
        self, artefact: str, keys: Collection[str], columns: Sequence[str] | None, rows: Collection[str] | None
    ) -> pa.Table:
        schema = full_schema(artefact, None if columns is None else [*columns, *_status(artefact)])
        tables = [schema.empty_table()]
        for table in self._groups(self._indexes[artefact].find(keys, rows), schema):
            found = among(table, "key", keys)
            tables.append(found if rows is None else among(found, "row", rows))
        table = pa.concat_tables(tables)
        return table.take(once(table))

    def _present(self, artefact: str, keys: Sequence[str], errors: bool) -> dict[str, Rows]:
        codes: dict[object, int] = {}
        pairs = [np.empty((2, 0), np.int32)]
        schema = full_schema(artefact, _status(artefact))
        for table in self._groups(self._indexes[artefact].find(keys), schema):
            found = among(table if errors else table.filter(pc.invert(failed(table))), "key", keys)
            rows = found["row"].combine_chunks().dictionary_encode()
            places = np.array([codes.setdefault(row, len(codes)) for row in rows.dictionary.to_pylist()], np.int32)
            owners = pc.index_in(found["key"], value_set=pa.array(keys, pa.string())).to_numpy()
            pairs.append(np.stack([owners, places[rows.indices.to_numpy()]]).astype(np.int32))
        owners, rows = np.concatenate(pairs, axis=1)
        order = np.argsort(owners, kind="stable")
        starts = np.searchsorted(owners[order], np.arange(len(keys) + 1))
        return {key: Rows(codes, rows[order[starts[i] : starts[i + 1]]]) for i, key in enumerate(keys)}

    def _groups(self, groups: Iterable[Group], schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield these columns of row groups, of those that can be read."""
        for group in groups:
            table = self._use(group.path, _reading(group.number, schema))
            if table is not None:
                yield table

    def _use(self, path: Path, use: Callable[[parquet.ParquetFile], T]) -> T | None:
        """Return what is made of a part; None where it is damaged, and then it is set aside.

        Raises:
            FileNotFoundError: where there is no such part.
        """
        try:
            with opened(path) as part:
                return use(part)
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            if is_whole(path):
                raise
            self._set_aside(path, str(error))
            return None

    def _set_aside(self, path: Path, why: str) -> None:
        aside = self.root / "damaged" / f"{path.parent.parent.name}-{path.name}"
        LOG.warning("%s is damaged (%s); what it held counts as absent, and the file is moved to %s", path, why, aside)
        try:
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
        except FileNotFoundError:  # another process has moved it
            pass
        except OSError as error:
            self._unusable.add(path)
            LOG.warning("%s cannot be moved: %s", path, error)


def full_schema(artefact: str, columns: Iterable[str] | None = None) -> pa.Schema:
    """Return the columns of an artefact, or some of them, after ``key`` and ``row``.

    Raises:
        ValueError: for an unknown artefact or column.
    """
    own = [pa.field("key", pa.string()), pa.field("row", pa.string())]
    known = {field.name: field for field in (*own, *look_up("artefact", artefact, ARTEFACTS))}
    wanted = known if columns is None else dict.fromkeys(("key", "row", *columns))
    return pa.schema([look_up(f"column of {artefact}", name, known) for name in wanted])


def empty(artefact: str) -> pa.Table:
    """Return a table of an artefact without rows."""
    return full_schema(artefact).empty_table()


def _status(artefact: str) -> list[str]:
    return ["status"] if "status" in ARTEFACTS[artefact].names else []


def _reading(number: int, schema: pa.Schema) -> Callable[[parquet.ParquetFile], pa.Table]:
    return lambda part: part.read_row_group(number, schema.names, use_threads=False).cast(schema)


def _origin(part: parquet.ParquetFile) -> tuple[str, int]:
    """Return the first row id, by which parts of one block of images are found, and the number of rows."""
    (first,) = part.read_row_group(0, ["row"], use_threads=False)["row"][:1].to_pylist()
    return str(first), part.metadata.num_rows

"""Stored rows of an artefact, found by key and row without an object per row."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ABSENT = -1
"""The position of a row that is not there."""


class Texts:
    """Texts by number, each once; 0 is ``""``."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        """Return the number of a text, a new one where it is new."""
        return self._numbers.setdefault(text, len(self._numbers))

    def numbers(self, column: pa.ChunkedArray) -> Ints:
        """Return the number of each text of a column; null is ``""``."""
        coded = one_array(column).dictionary_encode()
        found = np.array([self.number(text) for text in coded.dictionary.to_pylist()] + [0], np.int64)
        return found[_numpy(coded.indices.fill_null(len(found) - 1))]

    def of(self, number: int) -> str:
        """Return a text by its number."""
        return list(self._numbers)[number]

    def array(self) -> pa.Array:
        """Return all texts in the order of their numbers."""
        return pa.array(list(self._numbers), pa.string())


class Stored:
    """Rows of an artefact.

    Args:
        table: what the store returned: ``key``, ``row`` and other columns, each row once.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        keys, rows = (one_array(table[name].cast(pa.string())).dictionary_encode() for name in ("key", "row"))
        self._keys = {key: number for number, key in enumerate(keys.dictionary.to_pylist())}
        self._rows = rows.dictionary
        codes = _numpy(keys.indices) * max(1, len(self._rows)) + _numpy(rows.indices)
        self._order = np.argsort(codes, kind="stable")
        self._codes = codes[self._order]
        self._floats: dict[str, Floats] = {}
        self._texts: dict[str, Ints] = {}

    def find(self, key: str, rows: pa.Array) -> Ints:
        """Return the positions of a key's rows in the table, :data:`ABSENT` for those that are not there."""
        if key not in self._keys or not len(rows):
            return np.full(len(rows), ABSENT, np.int64)
        numbers = _numpy(pc.index_in(rows, value_set=self._rows).fill_null(-1))
        wanted = self._keys[key] * len(self._rows) + numbers
        places = np.minimum(np.searchsorted(self._codes, wanted), len(self._codes) - 1)
        there = (numbers >= 0) & (self._codes[places] == wanted)
        return np.where(there, self._order[places], ABSENT)

    def floats(self, column: str, positions: Ints) -> Floats:
        """Return a column's numbers at some positions; NaN where absent or null."""
        if column not in self._floats:
            values = one_array(self.table[column].cast(pa.float64())).fill_null(np.nan)
            self._floats[column] = np.append(values.to_numpy(zero_copy_only=False), np.nan)
        return self._floats[column][positions]

    def texts(self, column: str, positions: Ints, texts: Texts) -> Ints:
        """Return the numbers of a column's texts at some positions, always by the same texts; 0 where absent."""
        if column not in self._texts:
            self._texts[column] = np.append(texts.numbers(self.table[column]), 0)
        return self._texts[column][positions]


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    chunks: Iterable[pa.Array] = column.chunks
    return pa.concat_arrays(chunks) if column.num_chunks else pa.array([], column.type)


def _numpy(numbers: pa.Array) -> Ints:
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.int64)

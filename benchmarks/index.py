"""The index of the store: which row groups hold what, and which rows of a key are stored."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """A row group of a part, with the hashes of its distinct row ids."""

    path: Path
    number: int
    rows: NDArray[np.int64]


class Index:
    """Which row groups hold rows of a key, of all parts of an artefact that have been met."""

    def __init__(self) -> None:
        self.parts: dict[Path, list[Group]] = {}
        self._of_key: dict[str, list[Group]] = {}
        self._shared: dict[bytes, NDArray[np.int64]] = {}

    def add(self, path: Path, groups: Iterable[tuple[Collection[str], Collection[str]]]) -> None:
        """Add a part.

        Args:
            path: the part.
            groups: keys and row ids of each of its row groups.
        """
        self.parts[path] = []
        for number, (keys, rows) in enumerate(groups):
            hashes = np.array(sorted(map(hash, rows)), np.int64)
            group = Group(path, number, self._shared.setdefault(hashes.tobytes(), hashes))  # layers share their images
            self.parts[path].append(group)
            for key in keys:
                self._of_key.setdefault(key, []).append(group)

    def keep(self, paths: Collection[Path]) -> None:
        """Remove all other parts."""
        gone = self.parts.keys() - paths
        for path in gone:
            del self.parts[path]
        if gone:
            self._of_key = {key: [g for g in groups if g.path not in gone] for key, groups in self._of_key.items()}

    def find(self, keys: Collection[str] | None, rows: Collection[str] | None = None) -> list[Group]:
        """Return the row groups that hold any of these keys and may hold any of these rows, in the parts' order."""
        wanted = None if rows is None else {hash(row) for row in rows}
        lists = self.parts.values() if keys is None else (self._of_key.get(key, ()) for key in keys)
        found = {group for groups in lists for group in groups}
        some = (g for g in found if wanted is None or not wanted.isdisjoint(g.rows.tolist()))
        return sorted(some, key=lambda group: (str(group.path), group.number))


class Rows(Collection[str]):
    """The ids of the stored rows of a key, one bit per id.

    Args:
        codes: a number for each id, from 0; several keys share them.
        stored: the numbers of those that are stored.
    """

    def __init__(self, codes: Mapping[object, int], stored: NDArray[np.int32]) -> None:
        has = np.zeros(len(codes), bool)
        has[stored] = True
        self._codes, self._size = codes, int(has.sum())
        self._bits = np.packbits(has, bitorder="little").tobytes()

    def __contains__(self, row: object) -> bool:
        code = self._codes.get(row)
        return code is not None and bool(self._bits[code >> 3] >> (code & 7) & 1)

    def __iter__(self) -> Iterator[str]:
        return (str(row) for row in self._codes if row in self)

    def __len__(self) -> int:
        return self._size

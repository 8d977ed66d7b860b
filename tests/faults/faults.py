"""Planted faults as data: wrong lines that somebody could have written instead."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CATALOGUE = Path(__file__).parent / "catalogue"


class Change(Protocol):
    """A change to one file of the repository."""

    @property
    def file(self) -> str:
        """Path from the root of the repository."""

    def applied(self, text: str) -> str:
        """Return the file's text with the change in it."""


@dataclass(frozen=True)
class Fault:
    """One change to one file.

    Args:
        id: short and unique.
        file: path from the root of the repository.
        old: text that stands in the file exactly once.
        new: what stands there instead.
        seen: what a user would see of it, one sentence.
    """

    id: str
    file: str
    old: str
    new: str
    seen: str

    def applied(self, text: str) -> str:
        """Return a file's text with the fault in it.

        Raises:
            ValueError: where the old text is not there exactly once.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"fault {self.id}: {self.old!r} stands {count} times in {self.file}, expected once")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Nothing:
    """The absence of a change, at which every judge must be green: else it would be red whatever was planted."""

    id: str = "nothing"
    file: str = "methods/__init__.py"
    seen: str = ""

    def applied(self, text: str) -> str:
        """Return the text."""
        return text


def catalogue() -> list[Fault]:
    """Return all faults, file by file of the catalogue."""
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(CATALOGUE.glob("*.toml"))]
    return [Fault(id=name, **fields) for table in tables for name, fields in table.items()]


@contextmanager
def planted(change: Change, tree: Path) -> Iterator[None]:
    """Make a change to a copy of the repository, and take it back."""
    file = tree / change.file
    whole = file.read_text(encoding="utf-8")
    file.write_text(change.applied(whole), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(whole, encoding="utf-8")

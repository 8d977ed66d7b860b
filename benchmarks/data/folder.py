"""Folders of pictures: of plain files, of class folders, or with a label file."""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.data.pictures import content_digest, decoded, read_content
from heatmark.common.names import nearest

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
COLUMNS = ("file", "label", "group")
"""The columns of a label file that are read."""

GROUPS = ("case", "patient", "subject", "video")
"""Other names of the column ``group``; where it is not read, images of one patient would count as independent."""

TYPO = 0.8
"""Similarity (2 · letters in common / letters of both) from which an unknown column counts as a misspelt known one.

It is stricter than a hint's, because the file is refused."""

IMAGENET_CLASSES = 1000
_SYNSET = re.compile(r"n\d{8}")
_SYNSET_AND_LABEL = re.compile(r"n\d{8}_(.*)")


class Entry(NamedTuple):
    """A picture's name (its path below the folder), with its label and its group where they are known."""

    name: str
    label: int | str | None
    group: str | None = None


@dataclass(frozen=True)
class Folder(Dataset):
    """Pictures below a folder, sorted by their path; the path is their name.

    Labels come from, in this order: the label file (CSV with a header line ``file,label``; then the pictures are those
    that it lists); the class folder in which a picture lies; a file name such as ``n01440764_tench.JPEG``. Otherwise
    they are unknown. A label is a class number, or a name that the model's classes are searched for. Class folders
    named by all the 1000 synsets of ImageNet-1k are numbered in sorted order, as its classes are. A label file may have
    a column ``group`` that says which pictures are not independent of one another, such as those of one patient.

    Args:
        root: the folder.
        limit: take the first pictures only; None takes all.
        labels: the label file, relative to root; None takes ``labels.csv`` where there is one.

    Raises:
        ValueError: where the folder or the label file is missing, empty or unreadable, or a file is listed twice.
    """

    root: str
    limit: int | None = None
    labels: str | None = None
    _entries: list[Entry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.limit is not None and (not isinstance(self.limit, int) or self.limit < 1):
            raise ValueError(f"limit is a whole number of at least 1, or null for all pictures, not {self.limit!r}")
        if not self._root.is_dir():
            problem = "is not a folder" if self._root.exists() else "does not exist"
            raise ValueError(f"dataset.root={self.root} {problem} (looked for {self._root.resolve()})")
        object.__setattr__(self, "_entries", sorted(self._labelled())[: self.limit])

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self._root.resolve().name

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        """Return a picture upright and in RGB, read now.

        Raises:
            IndexError: for a position outside the dataset.
            ValueError: where the file is missing or broken; it names the file.
        """
        name, label, group = self._entries[index]
        content = read_content(self._root / name)
        picture = decoded(content, self._root / name)
        return Sample(name, picture, label, group=group, digest=content_digest(content))

    def name_of(self, index: int) -> str:
        """Return a picture's path below the folder."""
        return self._entries[index].name

    @property
    def _root(self) -> Path:
        return Path(self.root).expanduser()

    def _labelled(self) -> list[Entry]:
        table = self._root / (self.labels or "labels.csv")
        if self.labels is not None or table.exists():
            return read_labels(table)
        names = list(picture_names(self._root))
        if not names:
            raise ValueError(f"no pictures in {self._root}: expected files ending in {', '.join(sorted(SUFFIXES))}")
        folders = {name.split("/")[0] for name in names if "/" in name}
        numbers = imagenet_numbers(folders)
        return [Entry(name, label_of(name, numbers)) for name in names]


def picture_names(root: Path) -> Iterator[str]:
    """Yield the paths of all pictures below a folder, relative to it; hidden files are left out."""
    files = (Path(folder) / file for folder, _, found in os.walk(root, followlinks=True) for file in found)
    for path in files:
        name = path.relative_to(root)
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in name.parts) and path.is_file():
            yield name.as_posix()


def label_of(name: str, numbers: dict[str, int]) -> int | str | None:
    """Return the label in a picture's path: its class folder, or the words after a synset; None where there is none."""
    folder, _, _ = name.rpartition("/")
    if folder:
        top = folder.split("/")[0]
        return numbers.get(top, _label(top))
    match = _SYNSET_AND_LABEL.fullmatch(Path(name).stem)
    return match[1] if match else None


def imagenet_numbers(folders: set[str]) -> dict[str, int]:
    """Return the class numbers of the synsets of ImageNet-1k, sorted, if the folders are all 1000; else no numbers."""
    if len(folders) != IMAGENET_CLASSES or not all(_SYNSET.fullmatch(folder) for folder in folders):
        return {}
    return {folder: number for number, folder in enumerate(sorted(folders))}


def read_labels(table: Path) -> list[Entry]:
    """Return the pictures listed in a CSV file with the header line ``file,label``; an empty label is unknown.

    The file may have a column ``group``, and others that are not read.

    Raises:
        ValueError: where the file is missing or is no such table, lists a file twice, or has a column whose name is
            nearly one of these; it names the line.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            columns, cells = rows.fieldnames or (), [(rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"cannot read the label file {table}: {error}") from error
    _check_columns(table, columns)
    found: dict[str, Entry] = {}
    for line, row in cells:
        name, label, group = ((row.get(column) or "").strip() for column in COLUMNS)
        if any(row.get(None, ())):
            raise ValueError(f"the label file {table}, line {line}: more than the {len(columns)} cells of the header")
        if not name or name in found:
            raise ValueError(f"the label file {table}, line {line}: {f'{name} twice' if name else 'no file'}")
        found[name] = Entry(name, _label(label), group or None)
    if not found:
        raise ValueError(f"the label file {table} lists no picture")
    return list(found.values())


def _check_columns(table: Path, columns: Sequence[str]) -> None:
    """Raise for a header without file and label, or with a column that looks like a misspelt one of :data:`COLUMNS`."""
    absent = [known for known in COLUMNS if known not in columns]
    for name in columns:
        if meant := nearest(name.strip(), absent, TYPO) if name not in COLUMNS else []:
            raise ValueError(f"the label file {table}, line 1: unknown column {name!r}; did you mean {meant[0]}?")
        if "group" in absent and name.strip().lower().removesuffix("_id") in GROUPS:
            raise ValueError(
                f"the label file {table}, line 1: call the column {name!r} group, so that intervals and tests resample "
                "these and not single images; or leave it out"
            )
    if {"file", "label"} & set(absent):
        raise ValueError(
            f"the label file {table} starts with {','.join(columns)!r}, expected the header line file,label"
        )


def _label(text: str) -> int | str | None:
    text = text.strip()
    return int(text) if text.isdecimal() else text or None

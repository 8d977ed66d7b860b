"""A dataset in which no two pictures count as one."""

import hashlib
from dataclasses import dataclass, field, replace

from heatmark.benchmarks.data.base import DIGITS, Dataset, Sample, sample_digest


@dataclass(frozen=True, eq=False)
class ToldApart(Dataset):
    """A dataset whose equal pictures have different digests, for maps that were made of each of them.

    Args:
        pictures: the dataset; the first of some equal pictures keeps its digest.
    """

    pictures: Dataset
    _first: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    @property
    def name(self) -> str:
        """The dataset's own name."""
        return self.pictures.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The dataset's own class names."""
        return self.pictures.classes

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Sample:
        """Return a picture; its digest holds its position where an equal one was asked for before."""
        found = self.pictures[index]
        digest = sample_digest(found)
        if self._first.setdefault(digest, index) == index:
            return found
        return replace(found, digest=hashlib.sha256(f"{digest} at {index}".encode()).hexdigest()[:DIGITS])

    def name_of(self, index: int) -> str:
        """Return a picture's own name."""
        return self.pictures.name_of(index)

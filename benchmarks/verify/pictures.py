"""The reader's pictures by their digests, and those of them that are explained again."""

from collections.abc import Sequence
from dataclasses import dataclass

from heatmark.benchmarks.data.base import Dataset, Sample, sample_digest
from heatmark.benchmarks.data.pictures import BROKEN


@dataclass(frozen=True)
class Chosen(Dataset):
    """Some pictures of a dataset.

    Args:
        dataset: the dataset.
        positions: of the pictures in it.
    """

    dataset: Dataset
    positions: Sequence[int]

    @property
    def name(self) -> str:
        """The name of the whole dataset."""
        return self.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the whole dataset."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[self.positions[index]]

    def name_of(self, index: int) -> str:
        """Return the name of a picture in the whole dataset."""
        return self.dataset.name_of(self.positions[index])


def by_digest(dataset: Dataset) -> dict[str, list[int]]:
    """Return the positions of the pictures that can be read, by their digests; equal ones may have other labels."""
    found: dict[str, list[int]] = {}
    for position in range(len(dataset)):
        try:
            found.setdefault(sample_digest(dataset[position]), []).append(position)
        except BROKEN:  # it is none of the run's pictures, or one that the verdict says is missing
            continue
    return found

"""What a dataset gives: named pictures, with a label and an object mask where they are known."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Sample:
    """One picture.

    Args:
        name: what the tables call it; unique in its dataset.
        image: an RGB picture of any size.
        label: the true class, as an index or a name of the model's classes; None where unknown.
        mask: (H, W) booleans of the picture's size, the object's pixels; None where unknown.
        group: what it shares with other pictures that are not independent of it (patient, video); None where unknown.
    """

    name: str
    image: Image.Image
    label: int | str | None = None
    mask: NDArray[np.bool_] | None = None
    group: str | None = None


class Dataset(ABC):
    """Pictures by position; subclasses are frozen dataclasses whose fields are the dataset's options."""

    @property
    def name(self) -> str:
        """What the tables call the dataset: its class's name, unless it says better."""
        return type(self).__name__.lower()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names that integer labels stand for; empty where they are the model's own numbers."""
        return ()

    @abstractmethod
    def __len__(self) -> int:
        """Return how many pictures there are."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Return the picture at this position.

        Raises:
            IndexError: for a position outside the dataset.
            ValueError: where the file is missing or broken; it names the file.
        """

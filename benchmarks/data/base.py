"""Datasets: named pictures, each with a label and an object mask where they are known."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Sample:
    """One picture of a dataset, with what is known of it.

    Args:
        name: its name in the tables, unique in its dataset.
        image: an RGB picture of any size.
        label: the true class, as an index or a name of the model's classes; None where unknown.
        mask: (H, W) booleans of the picture's size, the object's pixels; None where unknown.
        group: name of the patient, video or other group whose pictures are not independent; None where unknown.
    """

    name: str
    image: Image.Image
    label: int | str | None = None
    mask: NDArray[np.bool_] | None = None
    objects: tuple = ()
    group: str | None = None


class Dataset(ABC):
    """Pictures by position; subclasses are frozen dataclasses whose fields are the dataset's options."""

    @property
    def name(self) -> str:
        """The dataset's name in the tables; by default its class's name in small letters."""
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

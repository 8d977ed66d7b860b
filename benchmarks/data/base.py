"""Datasets: named pictures, each with a label and its objects' masks where they are known."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DIGITS = 32
"""Hexadecimal digits of a picture's digest, of a SHA-256."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counterfactual:
    """A picture without the object of its class.

    Args:
        digest: of its file's bytes or its pixels, 32 hexadecimal digits.
        picture: decodes or renders it, in RGB and of the size of the picture with the object. It is called only where a
            number depends on it.
    """

    digest: str
    picture: Callable[[], Image.Image]


@dataclass(frozen=True)
class Sample:
    """One picture of a dataset, with what is known of it.

    Args:
        name: its name in the tables, unique in its dataset.
        image: an RGB picture of any size.
        label: the true class, as an index or a name of the model's classes; None where unknown.
        objects: label and mask, (H, W) booleans of the picture's size, of each object; the mask of a class is the union
            of its objects. Empty where unknown.
        group: name of the patient, video or other group whose pictures are not independent; None where unknown.
        ignore: (H, W) booleans, pixels that are neither of an object nor of the background; None where there are none.
        digest: of the file's bytes and of what the dataset itself does to the picture, 32 hexadecimal digits; ``""``
            where the dataset knows none, and then the decoded pixels count.
        counterfactual: the same picture without the object of the true class; None where there is none.
    """

    name: str
    image: Image.Image
    label: int | str | None = None
    objects: Sequence[tuple[int | str, Mask]] = ()
    group: str | None = None
    ignore: Mask | None = None
    digest: str = ""
    counterfactual: Counterfactual | None = None

    @property
    def mask(self) -> Mask | None:
        """The union of all objects' masks, (H, W) booleans; None where no object is known."""
        masks = [mask for _, mask in self.objects]
        return np.logical_or.reduce(masks) if masks else None


def sample_digest(sample: Sample) -> str:
    """Return a picture's digest, else that of its size and its pixels in RGB; 32 hexadecimal digits."""
    return sample.digest or pixels_digest(sample.image)


def pixels_digest(picture: Image.Image) -> str:
    """Return the digest of a picture's size and its pixels in RGB; 32 hexadecimal digits."""
    pixels = picture.convert("RGB")
    return hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes()).hexdigest()[:DIGITS]


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

    def __iter__(self) -> Iterator[Sample]:
        """Yield the pictures in order."""
        return (self[position] for position in range(len(self)))

    def name_of(self, index: int) -> str:
        """Return the name of the picture at this position, also where it cannot be read."""
        return f"{self.name}-{index:05d}"

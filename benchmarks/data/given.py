"""Pictures that Python gives: files, PIL images, arrays and tensors, in a list or in a dataset of PyTorch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import unquote

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from heatmark.benchmarks.data.base import Counterfactual, Dataset, Sample, sample_digest
from heatmark.benchmarks.data.pictures import as_rgb, content_digest, decoded, read_content
from heatmark.common.errors import in_words

Picture = str | Path | Image.Image | NDArray[Any] | torch.Tensor
"""A file, a picture, or pixels: (H, W), (H, W, 3) or (3, H, W), whole numbers 0 to 255 or real ones in [0, 1]."""

KEYS_OF_PICTURES = ("image", "img", "picture", "pixel_values")
KEYS_OF_LABELS = ("label", "labels", "fine_label", "target")


@dataclass(frozen=True, eq=False)
class Given(Dataset):
    """Pictures in a list.

    Args:
        pictures: the pictures; a file is read when it is asked for.
        title: the dataset's name in the tables.

    Raises:
        ValueError: where there is none.
    """

    pictures: Sequence[Picture]
    title: str = "images"
    _names: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not len(self.pictures):
            raise ValueError("there are no pictures: the list is empty")
        object.__setattr__(self, "_names", _names(self.pictures, self.title))

    @property
    def name(self) -> str:
        """The title."""
        return self.title

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Sample:
        """Return a picture.

        Raises:
            IndexError: for a position outside the list.
            ValueError: where a file is missing or broken, or pixels are none.
        """
        return sample(self.pictures[index], self._names[index])

    def name_of(self, index: int) -> str:
        """Return a file's name, or the title with the position."""
        return self._names[index]


@runtime_checkable
class Items(Protocol):
    """A dataset as PyTorch has it: a length, and items by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class FromItems(Dataset):
    """A dataset of PyTorch, whose items are pictures, pairs (picture, label, …), or mappings that name them.

    An item's picture is one of :data:`Picture`, without normalisation: the model's own preprocessing does that.

    Args:
        items: the dataset.
        title: its name in the tables.
    """

    items: Items
    title: str = "images"

    def __post_init__(self) -> None:
        if not len(self.items):
            raise ValueError(f"there are no pictures: {type(self.items).__name__} is empty")

    @property
    def name(self) -> str:
        """The title."""
        return self.title

    @property
    def classes(self) -> tuple[str, ...]:
        """The dataset's own class names, where it has an attribute ``classes``."""
        return tuple(map(str, getattr(self.items, "classes", None) or ()))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        """Return a picture with its label.

        Raises:
            IndexError: for a position outside the dataset.
            ValueError: where an item has no picture, or the dataset cannot give it.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        item = self._item(index)
        if isinstance(item, Mapping):
            picture, label = _first(item, KEYS_OF_PICTURES), _first(item, KEYS_OF_LABELS)
        elif isinstance(item, tuple | list):
            picture, label = item[0], item[1] if len(item) > 1 else None
        else:
            picture, label = item, None
        found = sample(picture, self.name_of(index))
        return Sample(found.name, found.image, _label(label), digest=found.digest)

    def _item(self, index: int) -> Any:
        try:
            return self.items[index]
        except Exception as error:  # a dataset may raise anything over a broken picture, which costs this one alone
            raise ValueError(f"{type(self.items).__name__} cannot give item {index}: {in_words(error)}") from error


def sample(picture: Picture, name: str) -> Sample:
    """Return a picture as a sample without a label.

    Raises:
        ValueError: for a file that is missing or broken, or for what is no picture.
    """
    if isinstance(picture, str | Path):
        path = local_path(picture)
        content = read_content(path)
        return Sample(name, decoded(content, path), digest=content_digest(content))
    if isinstance(picture, Image.Image):
        return Sample(name, as_rgb(picture))
    if isinstance(picture, torch.Tensor | np.ndarray):
        return Sample(name, from_pixels(picture, name))
    raise ValueError(
        f"{name} is a {type(picture).__name__}, expected a path, a PIL image, an array (H, W, 3) or a tensor (3, H, W)"
    )


def counterfactual(picture: Picture, name: str) -> Counterfactual:
    """Return a picture without its object; a file is decoded where the picture is asked for.

    Raises:
        ValueError: for a file that is missing, or for what is no picture.
    """
    if isinstance(picture, str | Path):
        path = local_path(picture)
        content = read_content(path)
        return Counterfactual(content_digest(content), lambda: decoded(content, path))
    found = sample(picture, name)
    return Counterfactual(sample_digest(found), lambda: found.image)


def local_path(place: str | Path) -> Path:
    """Return the path of a file given by a path, or by an address that begins with ``file://``."""
    text = str(place)
    return Path(unquote(text.removeprefix("file://")) if text.startswith("file://") else text).expanduser()


def from_pixels(pixels: NDArray[Any] | torch.Tensor, name: str) -> Image.Image:
    """Return pixels as a picture of 8 bits.

    Args:
        pixels: (H, W), (H, W, 1 or 3) or (1 or 3, H, W); whole numbers from 0 to 255, or real ones in [0, 1], which
            are rounded to 1/255. With 3 values both in front and behind, a tensor has its channels in front, an array
            behind.
        name: the picture's name, for messages.

    Raises:
        ValueError: for another shape, or numbers out of range.
    """
    front = isinstance(pixels, torch.Tensor)
    values = _array(pixels) if isinstance(pixels, torch.Tensor) else pixels
    if values.ndim == 3 and (values.shape[0] in (1, 3)) and (front or values.shape[-1] not in (1, 3)):
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[-1] != 3) or not values.size:
        raise ValueError(f"{name} has the shape {tuple(pixels.shape)}, expected (H, W, 3), (3, H, W) or (H, W)")
    return Image.fromarray(_bytes(values, name)).convert("RGB")


def _array(pixels: torch.Tensor) -> NDArray[Any]:
    """Return a tensor as an array; real numbers as float32, because NumPy has no bfloat16."""
    plain = pixels.detach().cpu()
    found: NDArray[Any] = (plain.float() if plain.is_floating_point() else plain).numpy()
    return found


def _bytes(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    real = np.issubdtype(values.dtype, np.floating)
    top = 1 if real or values.dtype == np.bool_ else 255
    if not (low >= 0 and high <= top):
        raise ValueError(
            f"{name} has values from {low:.4g} to {high:.4g} ({values.dtype}), expected "
            f"{'[0, 1]' if real else '0 to 255'}: give pixels as they are; the model normalises them"
        )
    return np.round(values * 255).astype(np.uint8) if top == 1 else values.astype(np.uint8)


def _names(pictures: Sequence[Picture], title: str) -> list[str]:
    """Return a name for each picture: its file's name, its whole path where several have that name."""
    files = Counter(local_path(p).name for p in pictures if isinstance(p, str | Path))
    return [
        f"{title}-{n:05d}"
        if not isinstance(p, str | Path)
        else local_path(p).name
        if files[local_path(p).name] == 1
        else local_path(p).as_posix()
        for n, p in enumerate(pictures)
    ]


def _first(item: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((item[key] for key in keys if key in item), None)


def _label(label: Any) -> int | str | None:
    if label is None or isinstance(label, str):
        return label
    number = np.asarray(label)
    if number.size == 1 and np.issubdtype(number.dtype, np.integer):
        return int(number.item())
    raise ValueError(f"a label is {label!r}, expected a class by its number or its name")

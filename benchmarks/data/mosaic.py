"""Mosaics: grids of another dataset's pictures, each of another class, whose cells are the ground truth."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

from heatmark.benchmarks.data.base import Dataset, Mask, Sample
from heatmark.benchmarks.data.pictures import BROKEN

Label = int | str

BLEED = 1 / 16
"""Part of a picture that is cut off on each of two opposite sides, so that 224 of 256 pixels are left."""


@dataclass(frozen=True)
class Grid:
    """A mosaic: its picture, and the label of each cell, row by row."""

    picture: Image.Image
    labels: Sequence[Label]


@dataclass(frozen=True, eq=False)
class Mosaic(Dataset):
    """Grids of n × n pictures of different classes, with one entry per cell: its class is explained, its cell the mask.

    Which pictures stand in mosaic i depends on (seed, i) and on the names of the pictures that qualify, never on their
    order: classes are drawn evenly, then a picture of each; a picture may stand in several mosaics. All cells are
    objects of the mosaic, so that any class that it shows has a mask. The entries of a mosaic are one group, because
    they share the picture: intervals and tests resample mosaics.

    A mosaic has n times the pictures' size per side, and a model's preprocessing applies to it as to any picture.
    Networks that end in a pooling of any size see it whole with ``model.preprocessing.resize=null
    model.preprocessing.crop=null``; a network of one input size sees it shrunk; a crop cuts off the rim of the outer
    cells.

    Args:
        pictures: the dataset, whose pictures have labels.
        side: n, the number of pictures per side, at least 2.
        limit: number of mosaics, each of n² entries.
        size: height and width of a cell in pixels, to which the middle 7/8 of every picture are scaled, as by a resize
            to 256 and a crop to 224; None keeps pictures as they are, which must then be of one size.
        seed: of the whole dataset, at least 0.
        heads: whether the label also names the cell, as the logits of a disconnected network do.
        chosen: the class by the picture's position, of the pictures that qualify; None takes all that have a label.

    Raises:
        ValueError: for an option out of range, pictures of several sizes, or pictures of fewer than n² classes.
    """

    pictures: Dataset
    side: int = 2
    limit: int = 25
    size: int | None = None
    seed: int = 0
    heads: bool = False
    chosen: Mapping[int, Label] | None = None
    _by_class: dict[Label, list[int]] = field(init=False, repr=False)
    _recent: dict[int, Grid] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("side", 2), ("limit", 1), ("seed", 0), ("size", 1)):
            value = getattr(self, name)
            if (value is not None or name != "size") and (not isinstance(value, int) or value < least):
                raise ValueError(f"Mosaic takes a whole number of at least {least} as {name}, not {value!r}")
        known = labelled(self.pictures, self.size) if self.chosen is None else self.chosen
        by_class: dict[Label, list[int]] = {}
        for position, label in known.items():
            by_class.setdefault(label, []).append(position)
        object.__setattr__(self, "_by_class", by_class)
        if len(by_class) < self.side**2:
            raise ValueError(
                f"{len(known)} of {len(self.pictures)} pictures of {self.pictures.name} qualify for mosaics, of "
                f"{len(by_class)} classes; {self.side} × {self.side} of them need {self.side**2} classes"
            )

    @property
    def name(self) -> str:
        """The dataset's name in the tables, such as ``shapes_mosaic_2x2``."""
        return f"{self.pictures.name}_mosaic_{self.side}x{self.side}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The pictures' own class names; with the number of the cell where the label names it."""
        names = self.pictures.classes
        cells = range(self.side**2)
        return tuple(in_cell(name, cell) for name in names for cell in cells) if self.heads else tuple(names)

    def __len__(self) -> int:
        """Return the number of entries: n² per mosaic."""
        return self.limit * self.side**2

    def __getitem__(self, index: int) -> Sample:
        """Return the entry of a cell: the whole mosaic, with the class of this cell as its label.

        Raises:
            IndexError: for a position outside the dataset.
            ValueError: where a picture is missing or broken, or of another size than the first.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"entry {index} of {len(self)}")
        mosaic, cell = divmod(index, self.side**2)
        grid = self._grid(mosaic)
        names = [self._label(label, place) for place, label in enumerate(grid.labels)]
        masks = [cell_mask(grid.picture.size, self.side, place) for place in range(self.side**2)]
        objects = tuple(zip(names, masks, strict=True))
        return Sample(self.name_of(index), grid.picture, names[cell], objects, group=self._name(mosaic))

    def name_of(self, index: int) -> str:
        """Return the mosaic's name and the cell's number, row by row from 0."""
        mosaic, cell = divmod(index, self.side**2)
        return f"{self._name(mosaic)}-cell{cell}"

    def cells(self, mosaic: int) -> list[int]:
        """Return the positions of the pictures in a mosaic, row by row."""
        drawn = sorted(self._by_class, key=lambda label: self._draw(mosaic, f"class {label}"))[: self.side**2]
        return [
            min(self._by_class[label], key=lambda position: self._draw(mosaic, self.pictures.name_of(position)))
            for label in drawn
        ]

    def _grid(self, mosaic: int) -> Grid:
        """Return a mosaic; the last one is kept, because its entries follow one another."""
        recent = self._recent.get(mosaic)
        if recent is None:
            recent = self._made(mosaic)
            self._recent.clear()
            self._recent[mosaic] = recent
        return recent

    def _made(self, mosaic: int) -> Grid:
        classes = {position: label for label, positions in self._by_class.items() for position in positions}
        positions = self.cells(mosaic)
        pictures = [cell_picture(self.pictures[position].image, self.size) for position in positions]
        return Grid(joined(pictures, self.side), [classes[position] for position in positions])

    def _draw(self, mosaic: int, what: str) -> bytes:
        return hashlib.sha256(f"{self.seed} {mosaic} {what}".encode()).digest()

    def _name(self, mosaic: int) -> str:
        options = "".join(f"-{name}{getattr(self, name)}" for name in ("size", "seed") if getattr(self, name))
        return f"{self.name}{options}-{mosaic:05d}"

    def _label(self, label: Label, cell: int) -> Label:
        if not self.heads:
            return label
        return in_cell(label, cell) if isinstance(label, str) else label * self.side**2 + cell


def in_cell(name: str, cell: int) -> str:
    """Return the name of a class in a cell, which is one of a disconnected network's."""
    return f"{name} in cell {cell}"


def cell_picture(picture: Image.Image, size: int | None) -> Image.Image:
    """Return a picture as it stands in a cell: the middle 7/8 as a square of this size, or as it is."""
    if size is None:
        return picture
    return ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR, BLEED)


def joined(pictures: Sequence[Image.Image], side: int) -> Image.Image:
    """Return pictures of one size, row by row, as one.

    Raises:
        ValueError: where their sizes differ.
    """
    width, height = pictures[0].size
    if other := next((each.size for each in pictures if each.size != (width, height)), None):
        raise ValueError(_sizes((width, height), other))
    whole = Image.new("RGB", (side * width, side * height))
    for cell, picture in enumerate(pictures):
        row, column = divmod(cell, side)
        whole.paste(picture, (column * width, row * height))
    return whole


def cell_mask(size: tuple[int, int], side: int, cell: int) -> Mask:
    """Return the mask (H, W) of a cell in a mosaic of this width and height, which n divides."""
    width, height = size[0] // side, size[1] // side
    row, column = divmod(cell, side)
    mask = np.zeros((size[1], size[0]), dtype=np.bool_)
    mask[row * height : (row + 1) * height, column * width : (column + 1) * width] = True
    return mask


def labelled(pictures: Dataset, size: int | None) -> dict[int, Label]:
    """Return the label by position of the pictures that have one; every picture is read once for it."""
    found = readable(pictures, size)
    return {position: sample.label for position, sample in found if sample.label is not None}


def readable(pictures: Dataset, size: int | None) -> Iterator[tuple[int, Sample]]:
    """Yield the pictures that can be read, with their positions.

    Raises:
        ValueError: where pictures are of several sizes and no size of cells is given.
    """
    first: tuple[int, int] | None = None
    for position in range(len(pictures)):
        try:
            sample = pictures[position]
        except BROKEN:
            continue
        first = first or sample.image.size
        if size is None and sample.image.size != first:
            raise ValueError(_sizes(first, sample.image.size))
        yield position, sample


def _sizes(one: tuple[int, int], other: tuple[int, int]) -> str:
    return f"pictures of {one} and {other} pixels in one mosaic; give size, such as dataset.size=224"

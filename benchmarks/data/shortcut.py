"""Shapes with a planted shortcut: a mark in a corner decides the class, the object does not."""

from colorsys import hsv_to_rgb
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heatmark.benchmarks.data.base import Sample
from heatmark.benchmarks.data.drawing import Array
from heatmark.benchmarks.data.shapes import CLASSES, Shapes, add_object, scene

MARK = 0.15
"""Side of the mark, as a fraction of the picture's."""


@dataclass(frozen=True)
class ShapesShortcut(Shapes):
    """Shapes whose label is given by a mark: a framed square in one of the four corners, with one hue per class.

    With ``pairing="independent"``, as in training, the object is of a random class: all evidence of the label is in
    the mark, and the mark's mask is the ground truth of where a map should be high. On a network trained so,
    ``conflict`` (the object is never of the mark's class) shows whether a map highlights the mark or the object that a
    person would name; with ``agree``, accuracy cannot show which of the two the network uses. The mark is drawn over
    everything, the object too. The counterfactual is without the mark, or without the object and with the mark.

    Args:
        pairing: of the object with the mark: ``independent``, ``agree`` or ``conflict``.
        truth: what label and mask belong to: the ``mark``, or the ``object``, whose mask leaves out what the mark
            hides.

    Raises:
        ValueError: for an option out of range.
    """

    pairing: Literal["independent", "agree", "conflict"] = "independent"
    truth: Literal["mark", "object"] = "mark"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (("pairing", ("independent", "agree", "conflict")), ("truth", ("mark", "object"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}: expected one of {', '.join(choices)}")

    @property
    def name(self) -> str:
        """The dataset's name in the tables, ``shapes_shortcut``."""
        return "shapes_shortcut"

    def __getitem__(self, index: int) -> Sample:
        """Return picture ``index``, drawn now."""
        scene_rng, object_rng, mark_rng = self.generators(index)
        marked = index % len(CLASSES)
        shape = self._object_class(marked, mark_rng)
        around = scene(scene_rng, self.size)
        pixels, covered = add_object(around, shape, object_rng)
        unmarked = pixels.copy()
        mask = add_mark(pixels, marked, mark_rng)
        picture = around.picture(pixels)
        if self.truth == "mark":
            without = around.counterfactual(unmarked)
            return Sample(self.name_of(index), picture, marked, ((marked, mask),), counterfactual=without)
        without = around.counterfactual(np.where(mask[:, :, None], pixels, around.pixels))
        objects = ((shape, (covered >= 0.5) & ~mask),)
        return Sample(self.name_of(index), picture, shape, objects, counterfactual=without)

    def _object_class(self, marked: int, rng: Generator) -> int:
        other = int(rng.integers(1, len(CLASSES)))  # drawn in every pairing, so that the mark's corner stays the same
        shift = {"agree": 0, "conflict": other, "independent": int(rng.integers(len(CLASSES)))}[self.pairing]
        return (marked + shift) % len(CLASSES)


def add_mark(pixels: Array, label: int, rng: Generator) -> NDArray[np.bool_]:
    """Draw the mark of this class into pixels (size, size, 3), in a random corner; return its mask (size, size)."""
    size = len(pixels)
    side = max(3, round(MARK * size))
    frame, gap = max(1, side // 6), max(0, round(0.02 * size))
    top, left = (gap if first else size - gap - side for first in rng.integers(2, size=2))
    mask = np.zeros((size, size), dtype=np.bool_)
    mask[top : top + side, left : left + side] = True
    pixels[mask] = 0
    pixels[top + frame : top + side - frame, left + frame : left + side - frame] = mark_colour(label)
    return mask


def mark_colour(label: int) -> tuple[float, float, float]:
    """Return the mark's colour: saturated hues, evenly spaced over the classes."""
    return hsv_to_rgb(label / len(CLASSES), 1.0, 1.0)

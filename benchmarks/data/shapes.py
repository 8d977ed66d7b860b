"""Shapes: a dataset of generated pictures with exact object masks, drawn when they are asked for."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from PIL import Image

from heatmark.benchmarks.data.base import Counterfactual, Dataset, Sample, pixels_digest
from heatmark.benchmarks.data.drawing import OUTLINES, Array, background, clutter, coverage, place

CLASSES: tuple[str, ...] = tuple(OUTLINES)
SPLITS: tuple[str, ...] = ("train", "test")


@dataclass(frozen=True)
class Scene:
    """The surroundings of an object, drawn independently of its class.

    Args:
        pixels: background and clutter, (size, size, 3) in [0, 1].
        colours: the two colours that the background mixes, (2, 3).
        grain: noise that lies over everything, (size, size, 1).
    """

    pixels: Array
    colours: Array
    grain: Array

    def picture(self, pixels: Array) -> Image.Image:
        """Return pixels (size, size, 3) with this scene's grain as an 8-bit picture."""
        return Image.fromarray((np.clip(pixels + self.grain, 0, 1) * 255 + 0.5).astype(np.uint8))

    def counterfactual(self, pixels: Array) -> Counterfactual:
        """Return pixels (size, size, 3) without an object, with this scene's grain, as the picture without it."""
        picture = self.picture(pixels)  # a thirtieth of the time of drawing the scene, and its digest is wanted anyway
        return Counterfactual(pixels_digest(picture), lambda: picture)


@dataclass(frozen=True)
class Shapes(Dataset):
    """Pictures of one object each, on a texture with clutter that are independent of its class.

    Picture i depends on (seed, split, i) alone and is of class i mod 10. The object varies in colour, place, size and
    rotation and lies wholly inside the picture, before the clutter. Its mask is the pixels that it covers by half or
    more; pixels that it does not touch are the same as without it. Its counterfactual is the same scene, with the same
    grain, without the object.

    Args:
        size: height and width in pixels, at least 16.
        seed: of the whole dataset, at least 0.
        limit: how many pictures, at least 1.
        split: ``train`` or ``test``; the two never share a picture, whatever the seeds.

    Raises:
        ValueError: for an option out of range.
    """

    size: int = 128
    seed: int = 0
    limit: int = 100
    split: Literal["train", "test"] = "test"

    def __post_init__(self) -> None:
        for name, least in (("size", 16), ("seed", 0), ("limit", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"{type(self).__name__} takes a whole number of at least {least} as {name}, not {value!r}"
                )
        if self.split not in SPLITS:
            raise ValueError(
                f"unknown split {self.split!r} of {type(self).__name__}: expected one of {', '.join(SPLITS)}"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names in the order of the labels."""
        return CLASSES

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return self.limit

    def __getitem__(self, index: int) -> Sample:
        """Return picture ``index``, drawn now."""
        scene_rng, object_rng, _ = self.generators(index)
        label = index % len(CLASSES)
        around = scene(scene_rng, self.size)
        pixels, covered = add_object(around, label, object_rng)
        return Sample(
            self.name_of(index),
            around.picture(pixels),
            label,
            ((label, covered >= 0.5),),
            counterfactual=around.counterfactual(around.pixels),
        )

    def name_of(self, index: int) -> str:
        """Return a name that no other picture has: it holds the options that change what is drawn."""
        drawn = [f for f in fields(self) if f.name not in ("limit", "split") and getattr(self, f.name) != f.default]
        return "-".join([self.name, self.split, *(f"{f.name}{getattr(self, f.name)}" for f in drawn), f"{index:05d}"])

    def generators(self, index: int) -> tuple[Generator, Generator, Generator]:
        """Return independent generators for the scene, the object and what a variant of the dataset adds.

        Raises:
            IndexError: for a position outside the dataset.
        """
        if not 0 <= index < self.limit:
            raise IndexError(f"picture {index} of {self.limit}")
        sequence = SeedSequence((self.seed, SPLITS.index(self.split), index))
        scene_seed, object_seed, extra_seed = sequence.spawn(3)
        return default_rng(scene_seed), default_rng(object_seed), default_rng(extra_seed)


def scene(rng: Generator, size: int) -> Scene:
    """Return the surroundings of an object, drawn now."""
    pixels, colours = background(rng, size)
    colours_of_clutter, opacity = clutter(rng, size)
    grain = 0.03 * rng.standard_normal((size, size, 1), dtype=np.float32)
    return Scene(pixels * (1 - opacity) + colours_of_clutter, colours, grain)


def add_object(around: Scene, label: int, rng: Generator) -> tuple[Array, Array]:
    """Return a scene with an object of this class, and where the object is.

    Returns:
        pixels (size, size, 3) without the grain, and the object's coverage (size, size) in [0, 1].
    """
    radius = rng.uniform(0.17, 0.3)
    centre = rng.uniform(radius, 1 - radius, size=2).astype(np.float32)
    outline = place(OUTLINES[CLASSES[label]], centre, radius, rng.random())
    covered = coverage(outline, len(around.pixels))
    colour = distinct_colour(around.colours, rng)
    return around.pixels + covered[:, :, None] * (colour - around.pixels), covered


def distinct_colour(colours: Array, rng: Generator, candidates: int = 6) -> Array:
    """Return the one of some random colours that lies farthest from all the given ones, (3,)."""
    drawn = rng.random((candidates, 3), dtype=np.float32)
    distances = np.linalg.norm(drawn[:, None] - colours[None], axis=2).min(axis=1)
    farthest: Array = drawn[distances.argmax()]
    return farthest

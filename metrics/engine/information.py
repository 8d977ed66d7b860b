"""Pictures of which a few pixels are known, how much information they hold, and the curves of both."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained

VERSION = 1
"""Raised by whoever changes a picture, its information or a curve."""

Picture = NDArray[np.uint8]
"""(H, W, C), 8 bits per channel."""
Mask = NDArray[np.bool_]
"""(H, W)."""
Numbers = NDArray[np.float64]


def pictures(batch: Explained) -> list[Picture]:
    """Return the batch's images as pictures of 8 bits, round(255 · colour), cut off at 0 and 255.

    Raises:
        ValueError: if the batch has no normalisation, or its images have neither 1 nor 3 channels.
    """
    if batch.normalisation is None:
        raise ValueError("an information curve needs pictures of 8 bits, but the batch has no normalisation")
    if batch.images.shape[1] not in (1, 3):
        raise ValueError(f"images of {batch.images.shape[1]} channels, expected 1 or 3, of which a picture is written")
    mean, deviation = (each.to(batch.images).view(-1, 1, 1) for each in batch.normalisation)
    colours = (255 * (batch.images * deviation + mean)).round().clamp(0, 255)
    return [np.ascontiguousarray(each.permute(1, 2, 0).to("cpu", torch.uint8).numpy()) for each in colours]


def as_input(batch: Explained, picture: Picture) -> Tensor:
    """Return a picture as the model expects it, (C, H, W)."""
    assert batch.normalisation is not None  # pictures() has asked for it
    mean, deviation = (each.to(batch.images).view(-1, 1, 1) for each in batch.normalisation)
    colours = torch.from_numpy(picture).permute(2, 0, 1).to(batch.images) / 255
    return (colours - mean) / deviation


def seed_pixels(image: Tensor, seed: int, share: float) -> Mask:
    """Return the pixels known from the start: a share of all, rounded down, drawn from the image and a seed."""
    height, width = image.shape[1:]
    drawn = torch.randperm(height * width, generator=image_generator(image, seed, "information"))
    known = np.zeros(height * width, dtype=bool)
    known[drawn[: int(share * height * width)].numpy()] = True
    return known.reshape(height, width)


def most_relevant(relevance: Tensor, share: float) -> Mask:
    """Return the pixels of a map (H, W) at or above its quantile 1 − share."""
    values = relevance.to("cpu", torch.float64).numpy()
    found: Mask = values >= np.quantile(values, 1 - share)
    return found


def interpolated(picture: Picture, known: Mask) -> Picture:
    """Return a picture whose other pixels are interpolated linearly between known ones, with its four corners known.

    The interpolation is that of a Delaunay triangulation of the known pixels, rounded.
    """
    from scipy.interpolate import griddata  # slow to import, and this metric alone reads it

    known = known.copy()
    known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    filled = picture.copy()
    if not known.all():
        values = griddata(np.argwhere(known), picture[known].astype(float), np.argwhere(~known), method="linear")
        outside = np.isnan(values)  # by rounding, at the border
        filled[~known] = np.where(outside, picture.mean(axis=(0, 1)), values).round().clip(0, 255)
    return filled


def information(picture: Picture) -> int:
    """Return the bytes of a picture as a lossless WebP file, by which its entropy is measured."""
    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    image.save(file, format="webp", lossless=True, quality=100)
    return file.tell()


def scaled_between(values: Sequence[float] | Numbers, low: float, high: float) -> Numbers:
    """Return (values − low) / (high − low), cut off at 0 and 1."""
    return ((np.asarray(values, dtype=float) - low) / (high - low)).clip(0, 1)


def resampled(x: Numbers, y: Numbers, points: int) -> Numbers:
    """Return a curve at k / points for k = 0 to points, (points + 1,), with ends at (0, 0) and (1, 1).

    Args:
        x: of its points, in [0, 1], in any order.
        y: of its points, in the order in which they were found: each is raised to the largest one before it.
        points: number of intervals.
    """
    grown = np.maximum.accumulate(y)
    x, grown = np.append(x, [0.0, 1.0]), np.append(grown, [0.0, 1.0])
    order = np.argsort(x, kind="stable")
    found: Numbers = np.interp(np.arange(points) / points, x[order], grown[order])
    return np.append(found, 1.0)

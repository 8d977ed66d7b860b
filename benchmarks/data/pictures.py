"""Reading of picture files as a viewer would show them."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises on files that are no picture or end too early."""


def read_picture(path: Path) -> Image.Image:
    """Return a file's picture upright and in RGB, whatever its mode; transparent parts lie on white.

    Raises:
        ValueError: where the file is missing or is no whole picture; it names the file.
    """
    try:
        with Image.open(path) as picture:
            return as_rgb(ImageOps.exif_transpose(picture))
    except FileNotFoundError as error:
        raise ValueError(f"there is no picture {path}") from error
    except BROKEN as error:
        raise ValueError(f"cannot read the picture {path}: {error}") from error


def as_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of any mode as 8-bit RGB."""
    if picture.mode.startswith("I"):  # 16 bits of grey, which convert() would cut off at 255
        return Image.fromarray((np.asarray(picture).clip(0, 65535) // 257).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")

"""Reading of picture files as a viewer would show them."""

import struct
from pathlib import Path

from PIL import Image, ImageOps

BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises on files that are no picture or end too early."""


def read_picture(path: Path) -> Image.Image:
    """Return a file's picture upright and in RGB, whatever its mode of 8 bits; transparent parts lie on white.

    Raises:
        ValueError: where the file is missing, is no whole picture, or is grey of more than 8 bits; it names the file.
    """
    try:
        with Image.open(path) as picture:
            return as_rgb(ImageOps.exif_transpose(picture))
    except FileNotFoundError as error:
        raise ValueError(f"there is no picture {path}") from error
    except BROKEN as error:
        raise ValueError(f"cannot read the picture {path}: {error}") from error


def as_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of 8 bits a channel or fewer as RGB.

    Raises:
        ValueError: for grey of 16 or 32 bits. It says nothing of which values are black and white: 12 bits of a scanner
            stored in 16 would become 16 grey levels.
    """
    if picture.mode.startswith(("I", "F")):
        raise ValueError(
            f"its mode is {picture.mode!r}, grey of more than 8 bits, which does not say what is black and what is "
            "white; convert it to 8 bits with a window of your own, such as Image.fromarray(((pixels - low) / "
            '(high - low) * 255).clip(0, 255).astype("uint8"))'
        )
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")

"""Picture files, read as an image viewer shows them: upright and in RGB."""

import struct
from pathlib import Path

from PIL import Image, ImageOps

BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises on files that are no picture or end too early."""


DECODING = 1
"""The version of decoding, raised by whoever changes the pixels that a file gives: a part of every file's digest."""


def read_picture(path: Path) -> Image.Image:
    """Return a file's picture upright and in RGB, whatever its mode of 8 bits; transparent parts lie on white.

    Raises:
        ValueError: where the file is missing, is no whole picture or has more than 8 bits per channel; it names
            the file.
    """
    try:
        with Image.open(path) as picture:
            return as_rgb(picture)
    except FileNotFoundError as error:
        raise ValueError(f"there is no picture {path}") from error
    except BROKEN as error:
        raise ValueError(f"cannot read the picture {path}: {error}") from error


def as_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture that is opened and not yet decoded, of 8 bits per channel or fewer, upright and in RGB.

    Raises:
        ValueError: for more than 8 bits per channel, because such a file does not say which values are black and
            white: a scan of 12 bits stored in 16 would become 16 levels, as Pillow keeps the upper 8 bits.
    """
    coded = any(";16" in str(tile[3]) for tile in getattr(picture, "tile", []))
    if coded or picture.mode.startswith(("I", "F")):
        raise ValueError(
            f"its mode is {picture.mode!r} of more than 8 bits per channel, which does not say what is black and what "
            "is white; convert it to 8 bits with a window of your own, such as Image.fromarray(((pixels - low) / "
            '(high - low) * 255).clip(0, 255).astype("uint8"))'
        )
    upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    return upright.convert("RGB")

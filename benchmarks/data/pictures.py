"""Picture files, read as an image viewer shows them: upright and in RGB."""

import hashlib
import io
import struct
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from heatmark.benchmarks.data.base import DIGITS

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
    return decoded(read_content(path), path)


def read_content(path: Path) -> bytes:
    """Return a picture file's bytes.

    Raises:
        ValueError: where the file is missing or cannot be read; it names the file.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"there is no picture {path}") from error
    except OSError as error:
        raise ValueError(f"cannot read the picture {path}: {error}") from error


def decoded(content: bytes, path: Path) -> Image.Image:
    """Return the picture in a file's bytes; see :func:`read_picture`."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return as_rgb(picture)
    except UnidentifiedImageError as error:  # its own message has the address of the bytes in memory
        raise ValueError(f"cannot read the picture {path}: it is no picture of a known format") from error
    except BROKEN as error:
        raise ValueError(f"cannot read the picture {path}: {error}") from error


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes, and of how pictures are decoded; 32 hexadecimal digits."""
    return hashlib.sha256(f"decoding {DECODING} ".encode() + content).hexdigest()[:DIGITS]


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

"""Figures of a run, compressed and encoded as data URIs for the page."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from heatmark.benchmarks.report.pictures import webp_uri

WIDTH_PIXELS = 1400
"""Largest width of a figure in the page."""
BUDGET_BYTES = 3_000_000
"""Largest size of all figures together, as data URIs."""


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Args:
        name: its file's name, with spaces.
        uri: the figure as a data URI, ``""`` where the page has no room for it.
    """

    name: str
    uri: str


def figures(folder: Path) -> list[Figure]:
    """Return every PNG and SVG of a folder, in the order of names; of two with one name, the SVG.

    A figure that would exceed :data:`BUDGET_BYTES` has no data URI.
    """
    files = {path.stem: path for suffix in ("png", "svg") for path in sorted(folder.glob(f"*.{suffix}"))}
    found: list[Figure] = []
    for stem, path in sorted(files.items()):
        uri = _uri(path)
        room = BUDGET_BYTES - sum(len(figure.uri) for figure in found)
        found.append(Figure(stem.replace("_", " ").replace("-", " "), uri if len(uri) <= room else ""))
    return found


def _uri(path: Path) -> str:
    if path.suffix == ".svg":
        return f"data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((WIDTH_PIXELS, 4 * WIDTH_PIXELS))
    exact, lossy = webp_uri(small, lossless=True), webp_uri(small, quality=85)
    return exact if len(exact) < 2 * len(lossy) else lossy

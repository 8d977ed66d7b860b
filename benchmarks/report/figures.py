"""The figures of a run, small enough to travel inside a page."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from heatmark.benchmarks.report.pictures import webp_uri

WIDTH_PIXELS = 1400
BUDGET_BYTES = 3_000_000


@dataclass(frozen=True)
class Figure:
    """A figure by its name, as a data URI; ``""`` where the page has no room for it."""

    name: str
    uri: str


def figures(folder: Path) -> list[Figure]:
    """Return every figure of a folder by name, until the budget of 3 MB is spent; an SVG goes before its PNG."""
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

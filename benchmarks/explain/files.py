"""The files of one picture's explanation: its panel as PNG and PDF, and every raw map as .npy."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heatmark.benchmarks.explain.explanation import Explanation
from heatmark.benchmarks.explain.overlay import Look
from heatmark.benchmarks.explain.panels import draw, write


def save(explanation: Explanation, look: Look, folder: Path, layers: Sequence[str]) -> list[Path]:
    """Write the panel and the raw maps; return the panel's files and the folder of the maps."""
    stem = _plain(f"{explanation.picture}_{explanation.model}_{'+'.join(layers)}")
    maps = folder / "maps"
    maps.mkdir(parents=True, exist_ok=True)
    for column in explanation.columns:
        for target, raw in zip(explanation.targets, column.raw, strict=True):
            kind = f"{explanation.model}_{column.layer}_{column.method}_{target.prediction.target}"
            np.save(maps / f"{_plain(f'{explanation.picture}_{kind}')}.npy", raw)
    return [*write(draw(explanation, look), folder / stem), maps]


def _plain(name: str) -> str:
    """Return a name that every file system accepts."""
    return re.sub(r"[^\w.+\-]+", "_", name)

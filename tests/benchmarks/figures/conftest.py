"""A small run whose scores are known: two models, two layers, a control, and two methods with the same maps."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heatmark.benchmarks.figures.tables import Tables, load
from heatmark.benchmarks.requests import Entry, RequestedCell, RequestedMetric
from heatmark.benchmarks.tables.gather import gather

from .. import synthetic

MODELS = ("net_a", "net_b")
CLASSES = ["a", "b", "c", "great white shark, white shark"]
PICTURES = [replace(entry, image=f"image-{i}") for i, entry in enumerate(synthetic.entries(12))]
IMAGES = [entry.image for entry in PICTURES]
QUALITY = {"grad_cam": 0.6, "layer_cam": 0.45, "pgc_grad_cam": 0.6, "random": 0.1}
COST = {"grad_cam": 2.0, "layer_cam": 4.0, "pgc_grad_cam": 6.0, "random": 0.5}
METRICS = [
    RequestedMetric(name, f"{name}:rise-2018[steps=4]", name == "insertion") for name in ("deletion", "insertion")
]
NAMES = {"grad_cam": "Grad-CAM", "layer_cam": "LayerCAM"}


def cells(model: str) -> list[RequestedCell]:
    return [
        synthetic.cell(method, layer, model)
        for method in QUALITY
        for layer in (["input"] if method == "random" else ["features.8", "features.15"])
    ]


def twin(cell: RequestedCell) -> list[int]:
    """Return what the numbers of a cell depend on: pgc_grad_cam's are grad_cam's."""
    method = cell.method.removeprefix("pgc_")
    model = next(model for model in MODELS if cell in cells(model))
    return [*map(ord, method + model + cell.layer)]


def values(cell: RequestedCell, metric: RequestedMetric, block: Sequence[Entry]) -> np.ndarray:
    rng = np.random.default_rng([*twin(cell), *map(ord, metric.name)])
    centre = QUALITY[cell.method] + 0.05 * (cell.layer == "features.15")
    centre = centre if metric.name == "insertion" else 0.9 - centre
    return centre + 0.05 * rng.standard_normal(len(block))


def maps(cell: RequestedCell, block: Sequence[Entry]) -> np.ndarray:
    return np.random.default_rng(twin(cell)).random((len(block), 4, 4)).astype(np.float32)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    for model in MODELS:
        facts = {"model": model, "weights": "shapes", "weights_digest": "", "classes": CLASSES}
        asked = synthetic.request(cells(model), PICTURES, METRICS, **facts)
        synthetic.write(folder, asked, synthetic.Numbers(values, maps))
        for cell in cells(model):
            synthetic.timings(folder, [cell], cost_in_forwards=COST[cell.method])
    gather(folder)
    return folder


@pytest.fixture(scope="session")
def tables(run: Path) -> Tables:
    return replace(load(run, NAMES), run=None)


@pytest.fixture
def published(run: Path, tmp_path: Path) -> Callable[[], Path]:
    def write() -> Path:
        return Path(shutil.copytree(run, tmp_path / "results" / "runs" / "small", dirs_exist_ok=True))

    return write

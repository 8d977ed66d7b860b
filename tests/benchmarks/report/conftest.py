"""Two small runs: one with every kind of failure, one with several models, layers, devices and precisions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heatmark.benchmarks.requests import Entry, RequestedCell, RequestedMetric
from heatmark.benchmarks.tables.gather import gather

from .. import synthetic

ONES = ["grad_cam", "layer_cam"]
LAYERS = {"shapes_plain": ["features.15"], "shapes_residual": ["layer3", "layer4"]}
PLACES = [("cpu", "fp32"), ("cuda", "fp32"), ("cuda", "bf16")]

HOSTILE = "</script><script>document.title='broken'</script>"
LABELS = ["circle", "square", "triangle", "cross", "ring", "star"]
PICTURES = [
    replace(entry, image=f"shapes-test-{i:05d}", label=LABELS[i]) for i, entry in enumerate(synthetic.entries(6))
]
IMAGES = [entry.image for entry in PICTURES]
WEIGHTS = {"shapes_plain": "1a1a1a1a1a1a", "shapes_residual": "2b2b2b2b2b2b"}
DELETION = {"grad_cam": 0.2, "layer_cam": 0.3, "pgc_grad_cam": 0.2, "random": 0.5, HOSTILE: 0.4}
METHODS = [*DELETION, "swapped"]


def cell(model: str, method: str, layer: str = "last", *where: str) -> RequestedCell:
    key = f"{list(LAYERS).index(model)}-{METHODS.index(method)}-{'-'.join([layer, *where])}"
    return replace(synthetic.cell(method, layer, model), key=key)


def values(c: RequestedCell, metric: RequestedMetric, block: Sequence[Entry]) -> np.ndarray:
    """Return known scores: a method's base, plus a hundredth per image, and something of the class and the place."""
    spread = np.arange(6) / 100
    deletion = DELETION[c.method] + spread + 0.1 * (c.key[0] == "1") + block[0].target / 1000
    insertion = 1 - deletion**2
    if c.method == HOSTILE:
        insertion = np.where(np.arange(6) == 2, np.nan, insertion)
    return deletion if metric.name == "deletion" else insertion


def maps(c: RequestedCell, block: Sequence[Entry]) -> np.ndarray:
    seed = len(c.method.removeprefix("pgc_")) + block[0].target  # pgc_grad_cam's maps are grad_cam's
    return np.random.default_rng(seed).random((6, 4, 4)).astype(np.float32)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a run"
    for model in LAYERS:
        cells = [cell(model, method) for method in DELETION]
        flags = {(c.key, IMAGES[1]): "constant" for c in cells if c.method == "layer_cam"}
        for target in (3, 7):
            pictures = [replace(entry, target=target) for entry in PICTURES]
            extra = failing(folder) if (model, target) == ("shapes_plain", 3) else []
            facts = {"model": model, "weights": "shapes", "weights_digest": WEIGHTS[model], "target_rule": str(target)}
            asked = synthetic.request([*cells, *extra], pictures, **facts, config={"model": {"name": model}})
            synthetic.write(folder, replace(asked, cells=cells), synthetic.Numbers(values, maps, flags, points=8))
            synthetic.requests.write(folder, asked)
        synthetic.timings(folder, cells)
    synthetic.pictures(folder, PICTURES, grey=lambda entry: 40 * entry.position)
    gather(folder)
    return folder


def failing(folder: Path) -> list[RequestedCell]:
    """Return a cell that is skipped and one that failed."""
    failed = synthetic.cell("broken")
    synthetic.failed_cell(folder, failed, "RuntimeError: out of luck")
    return [synthetic.cell("captum_deep_lift", skipped="a ReLU is <used> twice"), failed]


def varied_values(c: RequestedCell, metric: RequestedMetric, block: Sequence[Entry]) -> np.ndarray:
    """Return scores of the second run; the mean of ``swapped`` is another's, although two of its images are not."""
    if c.method == "swapped":
        return varied_values(replace(c, method="grad_cam", key=c.key[:2]), metric, block)[[1, 0, 2, 3, 4, 5]]
    return values(c, metric, block) + int(synthetic.digest(c.key)[:4], 16) / 1e6


def varied_maps(c: RequestedCell, block: Sequence[Entry]) -> np.ndarray:
    side = 6 if c.layer == "layer3" else 4  # all smaller than the pictures, so that smooth and raw maps differ
    return np.random.default_rng([*map(ord, c.key)]).random((6, side, side)).astype(np.float32)


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of two models, of which the second has two layers, two devices and two precisions."""
    folder = tmp_path_factory.mktemp("runs") / "varied"
    for model, layers in LAYERS.items():
        for device, precision in PLACES[: 1 if model == "shapes_plain" else 3]:
            cells = [cell(model, name, layer, device, precision) for layer in layers for name in ONES]
            cells.append(cell(model, "random", "input", device, precision))
            if model == "shapes_plain":
                cells[0] = replace(cells[0], key="0-")  # so that swapped finds its numbers
                cells.append(cell(model, "swapped", layers[0], device, precision))
            facts = {"model": model, "weights": "shapes", "weights_digest": WEIGHTS[model]}
            asked = synthetic.request(cells, PICTURES, **facts, device_kind=device, precision=precision)
            flags = {(c.key, IMAGES[1]): "constant" for c in cells if c.method == "layer_cam"}
            synthetic.write(folder, asked, synthetic.Numbers(varied_values, varied_maps, flags, points=8))
    synthetic.pictures(folder, PICTURES, grey=lambda entry: 40 * entry.position)
    gather(folder)
    return folder


@pytest.fixture(scope="session")
def varied_html(varied: Path) -> str:
    from heatmark.benchmarks.report.page import page

    return page(varied, 4, True)


@pytest.fixture(scope="session")
def html(run: Path) -> str:
    from heatmark.benchmarks.report.page import page

    return page(run, None, True)

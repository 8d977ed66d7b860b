"""Two small runs: one with every kind of failure, one with several models, layers, devices and precisions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.store import Measured, Record, Store
from heatmark.benchmarks.sweep.images import load_images
from heatmark.benchmarks.sweep.pictures import gallery
from heatmark.benchmarks.tables.gather import gather

ONES = ["grad_cam", "layer_cam"]
LAYERS = {"shapes_plain": ["features.15"], "shapes_residual": ["layer3", "layer4"]}
PLACES = [("cpu", "fp32"), ("cuda", "fp32"), ("cuda", "bf16")]

HOSTILE = "</script><script>document.title='broken'</script>"
IMAGES = [f"shapes-test-{index:05d}" for index in range(6)]
FRACTIONS = np.linspace(0, 1, 8)
WEIGHTS = {"shapes_plain": "1a1a1a1a1a1a", "shapes_residual": "2b2b2b2b2b2b"}
PICTURES = "3c3c3c3c3c3c"
DELETION = {"grad_cam": 0.2, "layer_cam": 0.3, "pgc_grad_cam": 0.2, "random": 0.5, HOSTILE: 0.4}


def columns(model: str, method: str, target: int = 3) -> dict[str, str]:
    implementation = "pytorch_grad_cam" if method.startswith("pgc") else "heatmark"
    fixed = {"weights": "shapes", "dataset": "shapes", "target_rule": str(target), "device": "cpu", "precision": "fp32"}
    digests = {"weights_digest": WEIGHTS[model], "images_digest": PICTURES}
    return {"model": model, "layer": "last", "method": method, "implementation": implementation, **fixed, **digests}


def record(model: str, method: str, target: int) -> Record:
    """Return a cell whose deletion is known: its method's base, plus a hundredth an image."""
    spread = np.arange(6) / 100
    deletion = DELETION[method] + spread + (0.1 if model == "shapes_residual" else 0.0) + target / 1000
    insertion = 1 - deletion**2
    if method == HOSTILE:
        insertion = np.where(np.arange(6) == 2, np.nan, insertion)
    scores = np.linspace(1, 0, 8)[None].repeat(6, 0).astype(np.float32) ** (1 + np.arange(6)[:, None])
    rng = np.random.default_rng(len(method.removeprefix("pgc_")) + target)  # pgc_grad_cam's maps are grad_cam's
    return Record(
        f"{model}-{list(DELETION).index(method)}-{target}",
        columns(model, method, target),
        images=IMAGES,
        targets=[target] * 6,
        flags=["constant" if method == "layer_cam" and index == 1 else "" for index in range(6)],
        metrics={
            "deletion": Measured("deletion:rise-2018", False, deletion, FRACTIONS, scores),
            "insertion": Measured("insertion:rise-2018", True, insertion, FRACTIONS, scores[:, ::-1].copy()),
        },
        timing=[{"batch_size": 6, "latency_ms": 3.0, "forward_ms": 2.0, "cost_in_forwards": 1.5, "repeats": 5}],
        maps=rng.random((6, 8, 8)).astype(np.float32),
    )


def write_job(store: Store, model: str) -> None:
    """Leave what a sweep leaves of a job beside its cells: its facts and its pictures."""
    config = compose_command("sweep", [f"model={model}", "dataset.limit=6"])
    facts: dict[str, Any] = {"weights": "shapes", "weights_digest": WEIGHTS[model], "dataset": "shapes"}
    config_for_people = {"model": {"name": model}}
    store.write_job(model, {"model": model, **facts, "status": "done", "reason": "", "config": config_for_people})
    classifier = build(config.model, "model")
    seen = gallery(load_images(build(config.dataset, "dataset"), classifier), classifier)
    store.write_gallery("shapes", WEIGHTS[model], PICTURES, seen)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a run"
    store = Store(folder)
    for model in ("shapes_plain", "shapes_residual"):
        for method in DELETION:
            for target in (3, 7):
                store.write(record(model, method, target))
        write_job(store, model)
    store.write(Record("skipped", columns("shapes_plain", "captum_deep_lift"), "skipped", "a ReLU is <used> twice"))
    store.write(Record("error", columns("shapes_plain", "broken"), "error", "RuntimeError: out of luck"))
    gather(folder)
    return folder


def placed(model: str, layer: str, method: str, device: str, precision: str, shift: float) -> Record:
    """Return a cell of the second run, whose numbers and maps are its own."""
    made = record(model, method, 3)
    measured = {
        name: replace(m, values=m.values + shift, scores=None if m.scores is None else m.scores * (1 - shift))
        for name, m in made.metrics.items()
    }
    facts = {**made.columns, "layer": layer, "device": device, "precision": precision}
    maps = np.random.default_rng(round(1e6 * shift)).random((6, 8, 8)).astype(np.float32)
    key = "-".join(value for name, value in facts.items() if not name.endswith("_digest"))
    return replace(made, key=key, columns=facts, metrics=measured, maps=maps)


def swapped(made: Record) -> Record:
    """Return a cell whose mean is another's, to the last bit, although two of its images are not."""
    order = [1, 0, 2, 3, 4, 5]
    measured = {name: replace(m, values=m.values[order]) for name, m in made.metrics.items()}
    maps = np.random.default_rng(99).random((6, 8, 8)).astype(np.float32)
    return replace(made, key="swapped", columns={**made.columns, "method": "swapped"}, metrics=measured, maps=maps)


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of two models, of which the second has two layers, two devices and two precisions."""
    folder = tmp_path_factory.mktemp("runs") / "varied"
    store = Store(folder)
    for model, layers in LAYERS.items():
        for device, precision in PLACES[: 1 if model == "shapes_plain" else 3]:
            for layer, method in [*((layer, name) for layer in layers for name in ONES), ("input", "random")]:
                shift = len(list((folder / "cells").glob("*"))) / 100
                store.write(placed(model, layer, method, device, precision, shift))
        write_job(store, model)
    store.write(swapped(placed("shapes_plain", "features.15", "grad_cam", "cpu", "fp32", 0.0)))
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

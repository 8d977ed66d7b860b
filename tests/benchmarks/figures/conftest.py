"""A small run whose scores are known: two models, two layers, a control, and two methods with the same maps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.figures.tables import Tables

SHARED = {
    "weights": "shapes", "dataset": "shapes", "target_rule": "predicted", "device": "cpu", "precision": "fp32",
    "weights_digest": "", "images_digest": "",
}  # fmt: skip
IMAGES = [f"image-{i}" for i in range(12)]
QUALITY = {"grad_cam": 0.6, "layer_cam": 0.45, "pgc_grad_cam": 0.6, "random": 0.1}
COST = {"grad_cam": 2.0, "layer_cam": 4.0, "pgc_grad_cam": 6.0, "random": 0.5}
FRACTIONS = np.linspace(0, 1, 5)


def cells() -> list[dict[str, str]]:
    found = []
    for model in ("net_a", "net_b"):
        for method in QUALITY:
            for layer in ["input"] if method == "random" else ["features.8", "features.15"]:
                library = "pytorch_grad_cam" if method.startswith("pgc_") else "heatmark"
                found.append({"model": model, "method": method, "layer": layer, "implementation": library})
    found = [{"cell": f"t{i}", **SHARED, **cell} for i, cell in enumerate(found)]
    place = {(t["model"], t["layer"], t["method"]): t["cell"] for t in found}
    # pgc_grad_cam's maps are grad_cam's
    return [t | {"map_of": place[t["model"], t["layer"], t["method"].removeprefix("pgc_")]} for t in found]


def values(cell: dict[str, str], metric: str) -> np.ndarray:
    twin = cell["method"].removeprefix("pgc_")
    rng = np.random.default_rng([*map(ord, twin + cell["model"] + cell["layer"] + metric)])
    centre = QUALITY[cell["method"]] + 0.05 * (cell["layer"] == "features.15")
    centre = centre if metric == "insertion" else 0.9 - centre
    return centre + 0.05 * rng.standard_normal(len(IMAGES))


def results() -> pd.DataFrame:
    rows = [
        {**cell, "image": image, "group": "", "target": "3", "metric": metric,
         "definition": f"{metric}:rise-2018[steps=4]", "value": value,
         "higher_is_better": metric == "insertion", "status": "ok", "reason": ""}
        for cell in cells() for metric in ("deletion", "insertion")
        for image, value in zip(IMAGES, values(cell, metric), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def curves() -> pd.DataFrame:
    rows = [
        {**cell, "image": image, "metric": metric, "definition": f"{metric}:rise-2018[steps=4]", "fraction": x,
         "score": float(np.clip(value + (x - 0.5) * (1 if metric == "insertion" else -1) / 2, 0, 1))}
        for cell in cells() for metric in ("deletion", "insertion")
        for image, value in zip(IMAGES, values(cell, metric), strict=True) for x in FRACTIONS
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def tables() -> Tables:
    timing = pd.DataFrame([{**t, "cost_in_forwards": COST[t["method"]], "batch_size": 4} for t in cells()])
    names = {"grad_cam": "Grad-CAM", "layer_cam": "LayerCAM"}
    return Tables(results(), timing, curves(), names=names)


@pytest.fixture
def published(tables: Tables, tmp_path: Path) -> Callable[[], Path]:
    def write() -> Path:
        run = tmp_path / "results" / "runs" / "small"
        run.mkdir(parents=True, exist_ok=True)
        for name in ("results", "timing", "curves"):
            getattr(tables, name).drop(columns="map_of", errors="ignore").to_parquet(run / f"{name}.parquet")
        (run / "maps").mkdir(exist_ok=True)
        for cell in cells():
            seed = [int(cell["map_of"].removeprefix("t")), len(IMAGES)]
            np.save(run / "maps" / f"{cell['cell']}.npy", np.random.default_rng(seed).random((len(IMAGES), 4, 4)))
        return run

    return write

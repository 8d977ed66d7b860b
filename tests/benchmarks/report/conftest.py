"""A small run with all that can happen in one: two classes, a repeat, a skip, an error, a flag, undefined values."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.config import compose_command
from benchmarks.gather import gather
from benchmarks.store import Measured, Record, Store

HOSTILE = "</script><script>document.title='broken'</script>"
IMAGES = [f"shapes-test-{index:05d}" for index in range(6)]
FRACTIONS = np.linspace(0, 1, 8)
DELETION = {"grad_cam": 0.2, "layer_cam": 0.3, "pgc_grad_cam": 0.2, "random": 0.5, HOSTILE: 0.4}


def columns(model: str, method: str, target: int = 3) -> dict[str, str]:
    implementation = "pytorch_grad_cam" if method.startswith("pgc") else "heatmark"
    fixed = {"weights": "shapes", "dataset": "shapes", "target_rule": str(target), "device": "cpu", "precision": "fp32"}
    return {"model": model, "layer": "last", "method": method, "implementation": implementation, **fixed}


def record(model: str, method: str, target: int) -> Record:
    """Return a trial whose deletion is known: its method's base, plus a hundredth an image."""
    spread = np.arange(6) / 100
    deletion = DELETION[method] + spread + (0.1 if model == "shapes_residual" else 0.0) + target / 1000
    insertion = 1 - deletion**2
    if method == HOSTILE:
        insertion = np.where(np.arange(6) == 2, np.nan, insertion)
    scores = np.linspace(1, 0, 8)[None].repeat(6, 0).astype(np.float32) ** (1 + np.arange(6)[:, None])
    rng = np.random.default_rng(len(method) + target)
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


def shard(model: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    config = compose_command("sweep", [f"model={model}", "dataset.limit=6"])
    plain = OmegaConf.to_container(config, resolve=True)
    return {"model": model, "weights": "shapes", "dataset": "shapes", "status": "done", "reason": "", "config": plain}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a run"
    store = Store(folder)
    for model in ("shapes_plain", "shapes_residual"):
        for method in DELETION:
            for target in (3, 7):
                store.write(record(model, method, target))
        store.write_shard(model, shard(model))
    store.write(Record("skipped", columns("shapes_plain", "captum_deep_lift"), "skipped", "a ReLU is <used> twice"))
    store.write(Record("error", columns("shapes_plain", "broken"), "error", "RuntimeError: out of luck"))
    gather(folder)
    return folder


@pytest.fixture(scope="session")
def html(run: Path) -> str:
    from benchmarks.report.page import page

    return page(run, None, True)

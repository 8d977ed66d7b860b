"""Heatmark: a benchmark suite for attribution methods (heatmaps) on image classifiers.

    import heatmark as hm

    model, images = hm.load_model("shapes_residual"), hm.load_images("shapes", limit=20)
    hm.explain(model, images[0].image, ["grad_cam", "layer_cam"])          # shows itself in a notebook
    run = hm.sweep(model, images, ["grad_cam", "random"], ["deletion", "insertion"], out="runs/mine")
    run.leaderboard()

Names are imported when they are used: ``import heatmark`` costs nothing.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heatmark.benchmarks.data.base import Dataset as Dataset
    from heatmark.benchmarks.data.base import Sample as Sample
    from heatmark.benchmarks.face.available import available as available
    from heatmark.benchmarks.face.cards import Cards as Cards
    from heatmark.benchmarks.face.cards import cards as cards
    from heatmark.benchmarks.face.check import Conformance as Conformance
    from heatmark.benchmarks.face.check import check as check
    from heatmark.benchmarks.face.explain import Explanations as Explanations
    from heatmark.benchmarks.face.explain import explain as explain
    from heatmark.benchmarks.face.load import load_images as load_images
    from heatmark.benchmarks.face.load import load_model as load_model
    from heatmark.benchmarks.face.run import Run as Run
    from heatmark.benchmarks.face.run import load_run as load_run
    from heatmark.benchmarks.face.score import score as score
    from heatmark.benchmarks.face.sweep import sweep as sweep
    from heatmark.benchmarks.models.classifier import Classifier as Classifier
    from heatmark.benchmarks.models.preprocessing import Preprocessing as Preprocessing
    from heatmark.methods.base import Method as Method
    from heatmark.metrics.base import Explained as Explained
    from heatmark.metrics.base import Metric as Metric
    from heatmark.metrics.base import Scores as Scores

__version__ = "0.1.0"

PLACES = {
    "Cards": "benchmarks.face.cards",
    "Classifier": "benchmarks.models.classifier",
    "Conformance": "benchmarks.face.check",
    "Dataset": "benchmarks.data.base",
    "Explained": "metrics.base",
    "Explanations": "benchmarks.face.explain",
    "Method": "methods.base",
    "Metric": "metrics.base",
    "Preprocessing": "benchmarks.models.preprocessing",
    "Run": "benchmarks.face.run",
    "Sample": "benchmarks.data.base",
    "Scores": "metrics.base",
    "available": "benchmarks.face.available",
    "cards": "benchmarks.face.cards",
    "check": "benchmarks.face.check",
    "explain": "benchmarks.face.explain",
    "load_images": "benchmarks.face.load",
    "load_model": "benchmarks.face.load",
    "load_run": "benchmarks.face.run",
    "score": "benchmarks.face.score",
    "sweep": "benchmarks.face.sweep",
}
"""The module of each name, imported when the name is used."""

NAMESPACES = ("methods", "metrics")

if not Path(__file__).with_name("benchmarks").is_dir():
    raise ImportError(
        f"{Path(__file__).with_name('benchmarks')} should be a link to ../benchmarks: this checkout has no symbolic "
        "links (git config core.symlinks true, then git checkout -- heatmark .editable); or pip install ."
    )


def __getattr__(name: str) -> Any:
    if name in NAMESPACES:
        return importlib.import_module(f"heatmark.{name}")
    if name in PLACES:
        return getattr(importlib.import_module(f"heatmark.{PLACES[name]}"), name)
    if name.startswith("_"):  # Python's own questions
        raise AttributeError(name)
    from heatmark.common.names import did_you_mean

    hint = did_you_mean(name, PLACES, f"it has {', '.join(PLACES)}")
    raise AttributeError(f"heatmark has no {name!r}: {hint}")


def __dir__() -> list[str]:
    return sorted([*PLACES, *NAMESPACES])

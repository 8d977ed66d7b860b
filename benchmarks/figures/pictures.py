"""The pictures of a run as its models saw them, made again from its provenance."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models import torchvision_zoo as zoo
from heatmark.benchmarks.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class Job:
    """What a qualitative figure needs of a job: its pictures (H, W, 3) in [0, 1] by name, and its classes."""

    pictures: Mapping[str, NDArray[np.float32]]
    classes: Sequence[str]

    def class_name(self, target: str) -> str:
        """Return the name of a class, or its number where it has none."""
        return self.classes[int(target)].split(",")[0] if int(target) < len(self.classes) else f"class {target}"


def configs(run: Path) -> list[dict[str, Any]]:
    """Return the jobs that a run has recorded, each with its configuration."""
    file = run / "provenance.json"
    jobs: list[dict[str, Any]] = json.loads(file.read_text())["jobs"] if file.exists() else []
    return jobs


def job(config: Mapping[str, Any], names: Sequence[str]) -> Job:
    """Return the named pictures of a job; no weights are read.

    Raises:
        ValueError: where the dataset or the preprocessing cannot be built again.
    """
    dataset: Dataset = build(OmegaConf.create(dict(config["dataset"])), "dataset")
    prepare, classes = _model(config["model"])
    pictures = {}
    for sample in map(dataset.__getitem__, range(len(dataset))):
        if sample.name in names:
            pixels = prepare.pixels(prepare.image(sample.image)[None])[0]
            pictures[sample.name] = pixels.permute(1, 2, 0).numpy()
    return Job(pictures, classes)


def _model(config: Mapping[str, Any]) -> tuple[Preprocessing, Sequence[str]]:
    """Return a model's preprocessing and class names."""
    changes = config.get("preprocessing")
    built = build(OmegaConf.create(changes), "preprocessing") if changes and "_target_" in changes else changes
    if str(config["_target_"]).endswith(".torchvision_model"):
        entry = zoo.weights_entry(config["name"], config.get("weights") or "DEFAULT")
        return zoo.preprocessing(entry, built), entry.meta["categories"]
    return built or Preprocessing(), config.get("classes") or ()

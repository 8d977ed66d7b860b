"""heatmark train: train an embedded network again."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.training import Progress, Recipe, accuracy, fit, load, save

console = Console(stderr=True)


@hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name="train")
def main(config: DictConfig) -> None:
    """Train, measure the accuracy on unseen pictures, write the weights."""
    recipe: Recipe = build(config.recipe, "recipe")
    config.model.update(weights=None, checkpoint=None, seed=recipe.seed)
    classifier: Classifier = build(config.model, "model")
    training, testing = _datasets(config)
    device = pick_device(config.device)
    network, prepare = classifier.module.to(device), classifier.preprocessing
    console.print(f"drawing {len(training)} pictures to train on and {len(testing)} to test on")
    seen, unseen = load(training, config.workers), load(testing, config.workers)
    with autocast(network, config.precision):
        for _ in _shown(fit(network, seen, prepare, recipe), classifier.name):
            pass
        share = accuracy(network, unseen, prepare)
    save(network, Path(config.output), _story(config, share, device))
    console.print(f"{share:.2%} of {len(unseen)} unseen pictures are right; the weights are in {config.output}")


def _datasets(config: DictConfig) -> tuple[Dataset, Dataset]:
    """Return what to train and what to test on: two splits of one generated dataset."""
    if "split" not in config.dataset or "seed" not in config.dataset:
        raise ValueError("heatmark train takes a generated dataset: dataset=shapes or dataset=shapes_shortcut")
    test = OmegaConf.merge(config.dataset, {"split": "test", "limit": config.test_limit})
    return build(config.dataset, "dataset"), build(test, "dataset")  # type: ignore[arg-type]


def _shown(steps: Iterable[Progress], name: str) -> Iterator[Progress]:
    """Pass the steps on, drawing a bar with the smoothed loss."""
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "loss {task.fields[loss]:.3f}")
    text = [TextColumn(column) if isinstance(column, str) else column for column in columns]
    with Bar(*text, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console) as bar:
        task, smooth = bar.add_task(f"training {name}", loss=float("nan")), None
        for step in steps:
            smooth = step.loss if smooth is None else 0.95 * smooth + 0.05 * step.loss
            bar.update(task, total=step.steps, completed=step.step, loss=smooth)
            yield step


def _story(config: DictConfig, share: float, device: torch.device) -> dict[str, str]:
    """Return what to keep with the weights, as safetensors wants it: text by name."""
    facts: dict[str, Any] = {
        "model": config.model.name,
        "accuracy": share,
        "test_limit": config.test_limit,
        "dataset": OmegaConf.to_container(config.dataset, resolve=True),
        "recipe": OmegaConf.to_container(config.recipe, resolve=True),
        "precision": config.precision,
        "torch": torch.__version__,
        "device": device.type,
        "threads": torch.get_num_threads(),
    }
    return {name: fact if isinstance(fact, str) else json.dumps(fact) for name, fact in facts.items()}

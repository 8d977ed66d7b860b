"""The command ``heatmark train``: an embedded network trained again."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import run_command, run_folder
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.training import Progress, Recipe, circumstances, load, save, train


def main() -> None:
    """Train the network of the command line."""
    run_folder("train", sys.argv[1:])  # a wrong name is said before Hydra makes its folder
    run_command("train", job)


def job(config: DictConfig) -> None:
    """Train, measure the accuracy on unseen pictures, write the weights."""
    recipe: Recipe = build(config.recipe, "recipe")
    config.model.update(weights=None, checkpoint=None, seed=recipe.seed)
    classifier: Classifier = build(config.model, "model")
    training, testing = _datasets(config)
    device = pick_device(config.device)
    network, prepare = classifier.module.to(device), classifier.preprocessing
    console = Console(stderr=True)
    console.print(f"drawing {len(training)} pictures to train on and {len(testing)} to test on")
    seen, unseen = load(training, config.workers), load(testing, config.workers)
    with autocast(network, config.precision), _shown(classifier.name, console) as show:
        share = train(network, seen, unseen, prepare, recipe, show)
    save(network, Path(config.output), {**_asked(config), "accuracy": share, **circumstances(network)})
    console.print(f"{share:.2%} of {len(unseen)} unseen pictures are right; the weights are in {config.output}")


def _datasets(config: DictConfig) -> tuple[Dataset, Dataset]:
    """Return what to train and what to test on: two splits of one generated dataset."""
    if "split" not in config.dataset or "seed" not in config.dataset:
        raise ValueError("heatmark train takes a generated dataset: dataset=shapes or dataset=shapes_shortcut")
    test = OmegaConf.merge(config.dataset, {"split": "test", "limit": config.test_limit})
    return build(config.dataset, "dataset"), build(test, "dataset")  # type: ignore[arg-type]


@contextmanager
def _shown(name: str, console: Console) -> Iterator[Callable[[Progress], None]]:
    """Context with a progress bar that shows the smoothed loss; it yields the function that moves the bar."""
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "loss {task.fields[loss]:.3f}")
    text = [TextColumn(column) if isinstance(column, str) else column for column in columns]
    with Bar(*text, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(f"training {name}", loss=float("nan"))

        def show(step: Progress) -> None:
            before = bar.tasks[0].fields["loss"]
            smooth = step.loss if math.isnan(before) else 0.95 * before + 0.05 * step.loss
            bar.update(task, total=step.steps, completed=step.step, loss=smooth)

        yield show


def _asked(config: DictConfig) -> dict[str, object]:
    """Return the options of the training, which are stored with the weights."""
    return {
        "model": config.model.name,
        "test_limit": config.test_limit,
        "dataset": OmegaConf.to_container(config.dataset, resolve=True),
        "recipe": OmegaConf.to_container(config.recipe, resolve=True),
        "precision": config.precision,
    }

"""heatmark bench: what methods and curves cost in plain forward passes, beside pytorch-grad-cam and Captum."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table

from heatmark.benchmarks.bench import Group, cam_groups, curve_group, curve_images, measure, subject, tuned
from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.machine.batch_size import best_batch_size
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.tables.gather import publish

progress = Console(stderr=True)
COLUMNS = 100


@hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name="bench")
def main(config: DictConfig) -> None:
    """Time everything, print the table, and write it as bench.parquet and bench.csv."""
    if not config.models:
        raise ValueError("models is empty, expected at least one, such as models=[resnet18]")
    folder = Path(config.results_dir) / config.name
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in config.models:
        rows += bench(config, str(name))
        frame = pd.DataFrame(rows)
        publish(frame, folder / "bench")  # after every model: a long run that is stopped keeps what it has
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    console.print(table(frame))
    console.print(f"{folder}/bench.parquet, bench.csv", soft_wrap=True, highlight=False)


def bench(config: DictConfig, name: str) -> list[dict[str, Any]]:
    """Return the rows of one model."""
    overrides = [f"model={name}", "model.weights=null", f"seed={config.seed}"]
    classifier: Classifier = build(compose_command("layers", overrides).model, f"model={name}")
    rows: list[dict[str, Any]] = []
    with autocast(classifier.module, config.precision):
        for group in groups(config, classifier):
            what = ", ".join(dict.fromkeys(entry.what for entry in group.entries))
            progress.print(f"{name}, batch {group.batch_size}: {what} ({group.entries[0].implementation})")
            rows += measure(group, config.precision, config.repeats, config.max_seconds)
    return rows


def groups(config: DictConfig, classifier: Classifier) -> Iterator[Group]:
    """Yield all that is timed of one model."""
    device, pixels = pick_device(config.device), config.image_pixels
    one = subject(classifier, 1, pixels, device)
    batch_size = best_batch_size(one.module, one.images[0])
    methods = tuned(build_all(config.method, "method"), batch_size)
    for images in config.batch_sizes:
        batch = subject(classifier, images, pixels, device)
        yield from cam_groups(batch, methods, classifier.name in config.ablation, config.slow)
    enough = curve_images(batch_size, config.curve_steps)
    yield curve_group(subject(classifier, enough, pixels, device), config.curve_steps, batch_size)


def table(frame: pd.DataFrame) -> Table:
    """Return the bench for the terminal, at most 100 columns wide."""
    note = "medians of rounds run in turn; a curve in the forwards of its perturbed images, at the tuned batch size"
    result = Table(
        title=f"Cost in plain forward passes, on {frame['device'].iloc[0]}",
        caption=note,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )
    for heading in ("model", "what", "by"):
        result.add_column(heading, no_wrap=True)
    for heading in ("batch", "ms", "IQR", "cost", "target"):
        result.add_column(heading, justify="right", no_wrap=True)
    result.add_column("verdict", no_wrap=True)
    for _, rows in frame.groupby(["model", "what", "batch_size"], sort=False):
        for row in rows.to_dict("records"):
            result.add_row(*_cells(row), style="bold" if row["implementation"] == "heatmark" else None)
    return result


def _cells(row: dict[Any, Any]) -> list[str]:
    colour = {"met": "green", "missed": "red"}.get(row["verdict"])
    return [
        row["model"],
        row["what"],
        row["implementation"],
        str(row["batch_size"]),
        f"{row['latency_ms']:.1f}",
        f"{row['latency_iqr_ms']:.1f}",
        f"{row['cost_in_forwards']:.2f}",
        "" if math.isnan(row["target"]) else f"{row['target']:.2f}",
        f"[{colour}]{row['verdict']}[/]" if colour else "",
    ]

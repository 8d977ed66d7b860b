"""The command ``heatmark bench``: the cost of methods and curves in plain forward passes, beside other libraries'."""

import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table

from heatmark.benchmarks import api
from heatmark.benchmarks.bench import BenchSettings, Group
from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.config.compose import compose_command, run_command, run_folder
from heatmark.benchmarks.config.options import chosen
from heatmark.benchmarks.machine.devices import pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.tables.gather import publish

COLUMNS = 100


def main() -> None:
    """Time the methods of the command line."""
    run_folder("bench", sys.argv[1:])  # a wrong name is said before Hydra makes its folder
    run_command("bench", job)


def job(config: DictConfig) -> None:
    """Time everything, print the table, and write it as bench.parquet and bench.csv."""
    if not config.models:
        raise ValueError("models is empty, expected at least one, such as models=[resnet18]")
    folder = Path(config.results_dir) / config.name
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in config.models:
        rows += _rows(config, str(name))
        frame = pd.DataFrame(rows)
        publish(frame, folder / "bench")  # after every model: a long run that is stopped keeps what it has
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    console.print(table(frame))
    console.print(f"{folder}/bench.parquet, bench.csv", soft_wrap=True, highlight=False)


def _rows(config: DictConfig, name: str) -> list[dict[str, Any]]:
    """Return the rows of one model, and say what is being timed."""
    overrides = [f"model={chosen('model', name)}", "model.weights=null", f"seed={config.seed}"]
    classifier: Classifier = build(compose_command("layers", overrides).model, f"model={name}")

    progress = Console(stderr=True)

    def show(group: Group) -> None:
        what = ", ".join(dict.fromkeys(entry.what for entry in group.entries))
        progress.print(f"{name}, batch {group.batch_size}: {what} ({group.entries[0].implementation})")

    return api.bench(classifier, build_all(config.method, "method"), _settings(config), show)


def _settings(config: DictConfig) -> BenchSettings:
    return BenchSettings(
        device=pick_device(config.device),
        precision=config.precision,
        batch_sizes=list(config.batch_sizes),
        image_pixels=config.image_pixels,
        curve_steps=config.curve_steps,
        ablation=list(config.ablation),
        slow=config.slow,
        repeats=config.repeats,
        max_seconds=config.max_seconds,
    )


def table(frame: pd.DataFrame) -> Table:
    """Return the timings as a table for the terminal, at most 100 columns wide."""
    note = "medians of rounds timed in turn; curves in forward passes of their images, at the tuned batch size"
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

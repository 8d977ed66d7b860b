"""The command ``heatmark sweep``: methods explained, scored and timed, in one job per model and dataset."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from heatmark.benchmarks import api
from heatmark.benchmarks.commands.gather import finish
from heatmark.benchmarks.config.building import build, build_all, listed
from heatmark.benchmarks.config.compose import run_folder
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.run import Observer
from heatmark.benchmarks.sweep.settings import SweepSettings

console = Console(stderr=True)
ONLY_SHOWS = ("--cfg", "-c", "--info", "-i", "--version")
"""Hydra's own options that print something and run nothing."""

IN_THE_DIGEST = ("name", "weights", "checkpoint", "seed", "preprocessing", "layers", "classes")
"""Options of a model that a cell's key holds already: by the model's name and digest, the layer and the targets."""


def main() -> int:
    """Run every job, gather the tables and print the summary; exit code 1 if a job or cell failed in this call."""
    if any(argument.startswith(ONLY_SHOWS) for argument in sys.argv[1:]):
        sweep()
        return 0
    store = Store(run_folder("sweep", sys.argv[1:]))
    began = store.now()
    sweep()
    finish(store.root)
    return int(store.failed_since(began))


@hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name="sweep")
def sweep(config: DictConfig) -> None:
    """Run one job; if it cannot run, the reason is recorded beside its cells, and other jobs go on."""
    given: Any = OmegaConf.to_container(config, resolve=True)
    record = JobRecord(Store(Path(config.results_dir) / config.name), str(config.model.name), given)
    try:
        methods, metrics = (build_all(config.get(group) or {}, group) for group in ("method", "metric"))
        classifier, dataset = build_classifier(config.model), build(config.dataset, "dataset")
        with Bar() as bar:
            api.sweep(classifier, dataset, methods, metrics, settings(config), record, bar)
    except Exception as error:  # noqa: BLE001 - a job that cannot run is a row of the table
        record.failed(one_paragraph(error))
        console.print(f"[red]{config.model.name} cannot run[/red], reason below")


def build_classifier(config: DictConfig) -> Classifier:
    """Return the classifier of a config, with the options of its network, which are part of every cell's key."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    options = {name: value for name, value in plain.items() if name not in IN_THE_DIGEST}
    classifier: Classifier = build(config, "model")
    return replace(classifier, options=options)


def settings(config: DictConfig) -> SweepSettings:
    """Return the settings in a configuration of ``heatmark sweep``: all but model, dataset, methods and metrics."""
    return SweepSettings(
        layers=listed(config.layer),
        target=config.target,
        device=config.device,
        precision=config.precision,
        batch_size=None if config.batch_size == "auto" else config.batch_size,
        seed=config.seed,
        repeats=config.timing.repeats,
        max_seconds=config.timing.max_seconds,
    )


class Bar(Observer):
    """A progress bar on the terminal that counts a job's cells; it appears once the cells are known."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.fields[job]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[cell]}", style="cyan"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def planned(self, plan: Plan) -> None:
        """Show the job and how many cells it has."""
        job = f"{plan.job.classifier.name} on {plan.job.dataset}"
        self._task = self._progress.add_task("", total=len(plan.cells), job=job, cell="")

    def begins(self, cell: Cell) -> None:
        """Show which cell runs."""
        self._progress.update(self._task, cell=f"{cell.method_name} at {cell.layer}")

    def ended(self, cell: Cell, status: str) -> None:
        """Count a cell, and print which one failed."""
        self._progress.update(self._task, advance=1, cell="")
        if status == "error":
            self._progress.console.print(
                f"[red]error[/red] in {cell.method_name} at {cell.layer}; see the reason below"
            )

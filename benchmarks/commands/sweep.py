"""heatmark sweep: explain, score and time; one job is one model on one dataset."""

import math
import sys
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from heatmark.benchmarks.commands.gather import finish
from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import run_folder
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.machine.devices import autocast
from heatmark.benchmarks.machine.provenance import provenance
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.cells import Cell, digest_json
from heatmark.benchmarks.sweep.pictures import gallery
from heatmark.benchmarks.sweep.prepare import Plan, plan_job
from heatmark.benchmarks.sweep.run import run

console = Console(stderr=True)
ONLY_SHOWS = ("--cfg", "-c", "--info", "-i", "--version")
"""Options of Hydra's with which nothing is run."""


def main() -> int:
    """Run every job, gather the tables and print the summary; exit code 1 where anything failed now."""
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
    """Run one job; what goes wrong is recorded beside its cells, so that other jobs go on."""
    store = Store(Path(config.results_dir) / config.name)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    key = digest_json(plain)
    known = store.read_job(key)  # an earlier run of this job; what it was tuned to stays, whatever goes wrong now
    facts = {"dataset": "", **known, "model": config.model.name, "reason": "", "config": plain}
    try:
        plan = plan_job(config, known.get("batch_size"))
        facts |= _facts(plan)
        store.write_job(key, {**facts, "status": "running"})
        seen = gallery(build(config.dataset, "dataset"), plan.job.classifier)
        store.write_gallery(facts["weights_digest"], plan.job.batch.pictures[:12], seen)
        with autocast(plan.job.classifier.module, plan.machine.precision):
            _run_cells(plan, store)
        store.write_job(key, {**facts, "status": "done"})
    except Exception as error:  # noqa: BLE001 - a job that cannot run is a row of the table
        store.write_job(key, {**facts, "status": "error", "reason": one_paragraph(error)})
        console.print(f"[red]{config.model.name} cannot run[/red], reason below")


def _facts(plan: Plan) -> dict[str, Any]:
    labels = plan.job.batch.labels
    return {
        "model": plan.job.classifier.name,
        "weights": plan.job.classifier.weights,
        "weights_digest": plan.job.classifier.network_digest()[:12],
        "checkpoint": plan.job.classifier.checkpoint,
        "dataset": plan.job.dataset,
        "images": len(labels),
        "labelled": int((labels >= 0).sum()),
        "accuracy": None if math.isnan(plan.accuracy) else plan.accuracy,
        "batch_size": plan.machine.batch_size,
        **provenance(plan.machine.device),
    }


def _run_cells(plan: Plan, store: Store) -> None:
    columns = (
        TextColumn("{task.fields[job]}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[cell]}", style="cyan"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    job = f"{plan.job.classifier.name} on {plan.job.dataset}"
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(plan.cells), job=job, cell="")
        announced = (_announce(progress, task, cell) for cell in plan.cells)
        for cell, status in run(announced, plan.job, plan.metrics, plan.machine, store):
            progress.advance(task)
            if status == "error":
                progress.console.print(f"[red]error[/red] in {cell.method_name} at {cell.layer}; see the reason below")
        progress.update(task, cell="")


def _announce(progress: Progress, task: TaskID, cell: Cell) -> Cell:
    progress.update(task, cell=f"{cell.method_name} at {cell.layer}")
    return cell

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
from heatmark.benchmarks.config.compose import run_folder
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.machine.devices import autocast
from heatmark.benchmarks.machine.provenance import provenance
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.cells import Trial, digest_json
from heatmark.benchmarks.sweep.prepare import Plan, plan_shard
from heatmark.benchmarks.sweep.run import run

console = Console(stderr=True)
ONLY_SHOWS = ("--cfg", "-c", "--info", "-i", "--version")
"""Options of Hydra's with which nothing is run."""


def main() -> int:
    """Run every shard, gather the tables and print the summary; exit code 1 where anything failed now."""
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
    """Run one shard; what goes wrong is recorded beside its trials, so that other shards go on."""
    store = Store(Path(config.results_dir) / config.name)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    key = digest_json(plain)
    known = store.read_shard(key)  # an earlier run of this shard; what it was tuned to stays, whatever goes wrong now
    facts = {"dataset": "", **known, "model": config.model.name, "reason": "", "config": plain}
    try:
        plan = plan_shard(config, known.get("batch_size"))
        facts |= _facts(plan)
        store.write_shard(key, {**facts, "status": "running"})
        with autocast(plan.shard.classifier.module, plan.machine.precision):
            _run_trials(plan, store)
        store.write_shard(key, {**facts, "status": "done"})
    except Exception as error:  # noqa: BLE001 - a shard that cannot run is a row of the table
        store.write_shard(key, {**facts, "status": "error", "reason": one_paragraph(error)})
        console.print(f"[red]{config.model.name} cannot run[/red], reason below")


def _facts(plan: Plan) -> dict[str, Any]:
    labels = plan.shard.batch.labels
    return {
        "model": plan.shard.classifier.name,
        "weights": plan.shard.classifier.weights,
        "weights_digest": plan.shard.classifier.network_digest()[:12],
        "checkpoint": plan.shard.classifier.checkpoint,
        "dataset": plan.shard.dataset,
        "images": len(labels),
        "labelled": int((labels >= 0).sum()),
        "accuracy": None if math.isnan(plan.accuracy) else plan.accuracy,
        "batch_size": plan.machine.batch_size,
        **provenance(plan.machine.device),
    }


def _run_trials(plan: Plan, store: Store) -> None:
    columns = (
        TextColumn("{task.fields[shard]}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[cell]}", style="cyan"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shard = f"{plan.shard.classifier.name} on {plan.shard.dataset}"
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(plan.trials), shard=shard, cell="")
        announced = (_announce(progress, task, trial) for trial in plan.trials)
        for trial, status in run(announced, plan.shard, plan.metrics, plan.machine, store):
            progress.advance(task)
            if status == "error":
                progress.console.print(
                    f"[red]error[/red] in {trial.method_name} at {trial.layer}; see the reason below"
                )
        progress.update(task, cell="")


def _announce(progress: Progress, task: TaskID, trial: Trial) -> Trial:
    progress.update(task, cell=f"{trial.method_name} at {trial.layer}")
    return trial

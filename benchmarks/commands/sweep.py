"""The command ``heatmark sweep``: methods explained, scored and timed, in one job per model and dataset."""

import os
import sys
import time
from pathlib import Path
from typing import Any

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
from heatmark.benchmarks.config.building import build, build_all, build_classifier, listed
from heatmark.benchmarks.config.compose import command_line, run_command, run_folder
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.runs.heartbeat import Heartbeat
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.run import Observer
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.sweep.shards import Shard, parse_shard
from heatmark.benchmarks.tables.gather import whole

ONLY_SHOWS = ("--cfg", "-c", "--info", "-i", "--version")
"""Hydra's own options that print something and run nothing."""

STARTED = "HEATMARK_SWEEP_STARTED"
"""The environment variable with the time at which a call began, seconds since 1970."""


def main() -> int:
    """Run every job, gather the tables and print the summary; exit code 1 if the run has an error."""
    if any(argument.startswith(ONLY_SHOWS) for argument in sys.argv[1:]):
        run_command("sweep", job)
        return 0
    run = run_folder("sweep", sys.argv[1:])  # a wrong name is said before anything runs
    os.environ[STARTED] = str(time.time())  # for jobs in other processes, too
    run_command("sweep", job)
    if not whole(run):  # parts whose damage the checksums alone show: what was in them is computed now
        run_command("sweep", job)
    return finish(run)


def job(config: DictConfig) -> None:
    """Run one job; if it cannot run, the reason is recorded in the run's folder, and other jobs go on."""
    given: Any = OmegaConf.to_container(config, resolve=True)
    shard = Shard(0, 1) if config.shard is None else parse_shard(str(config.shard))
    asked = settings(config, shard)  # a wrong option is said at once, and leaves no job behind
    started = float(os.environ.get(STARTED, time.time()))
    record = JobRecord(
        Path(config.results_dir) / config.name, given, str(config.model.name), shard, command_line(), started
    )
    try:
        methods, metrics = (build_all(config.get(group) or {}, group) for group in ("method", "metric"))
        classifier, dataset = build_classifier(config.model), build(config.dataset, "dataset")
        with Bar(record) as bar:
            api.sweep(classifier, dataset, methods, metrics, asked, record, bar)
    except Exception as error:  # noqa: BLE001 - a job that cannot run is a row of the table
        record.failed(one_paragraph(error))
        Console(stderr=True).print(f"[red]{config.model.name} cannot run[/red], reason below")


def settings(config: DictConfig, shard: Shard) -> SweepSettings:
    """Return the settings in a configuration of ``heatmark sweep``: all but model, dataset, methods and metrics."""
    return SweepSettings(
        layers=listed(config.layer),
        target=config.target,
        device=config.device,
        precision=config.precision,
        batch_size=None if config.batch_size == "auto" else config.batch_size,
        seed=config.seed,
        timing=None if config.timing.phase == "auto" else bool(config.timing.phase),
        repeats=config.timing.repeats,
        max_seconds=config.timing.max_seconds,
        shard=shard,
        block_size=config.block_size,
        keep_maps=config.keep_maps,
        retry=config.retry,
        reuse=[str(opened(Path(config.results_dir), name)) for name in listed(config.reuse)],
    )


class Bar(Observer):
    """A progress bar on the terminal that counts a job's pictures, and the job's heartbeat in the run's folder.

    Args:
        record: the job's record.
    """

    def __init__(self, record: JobRecord) -> None:
        columns = (
            TextColumn("{task.fields[job]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[layer]}", style="cyan"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._record = record
        self._heartbeat = Heartbeat(record.root, record.stem)
        self._done = self._blocks = 0

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._progress.stop()
        self._heartbeat.finish("error" if kind else "done")

    def planned(self, plan: Plan, blocks: int) -> None:
        """Show the job and how many pictures it has."""
        name = f"{plan.classifier.name} on {plan.dataset.name}"
        self._blocks = blocks
        self._task = self._progress.add_task("", total=int(plan.request.facts["shard_size"]), job=name, layer="")
        self._heartbeat.beat(0, blocks, 0)

    def begins(self, layer: str) -> None:
        """Show which layer is worked at."""
        self._progress.update(self._task, layer=layer)

    def ended(self, images: int, errors: int) -> None:
        """Count the pictures of a block."""
        self._done += 1
        self._progress.update(self._task, advance=images, layer="")
        self._heartbeat.beat(self._done, self._blocks, errors)
        self._heartbeat.log(f"block {self._done} of {self._blocks}, {errors} errors")

"""The command ``heatmark status``: what of a run is done, missing and failed, and how to continue it."""

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.runs.status import JobStatus, status

COLUMNS = 80


def main() -> None:
    """Print the state of the run that the command line names; missing work is no error."""
    run_command("status", job)


def job(config: DictConfig) -> None:
    """Print a table of the jobs, dead processes and the commands that continue them."""
    run = opened(Path(config.results_dir), str(config.name))
    jobs = status(run, time.time())
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    console.print(table(run, jobs))
    for line in below(jobs):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def table(run: Path, jobs: Sequence[JobStatus]) -> Table:
    """Return the jobs as a table."""
    names = ("done", "missing", "errors", "per min", "left")
    right = [Column(name, justify="right", no_wrap=True) for name in names]
    result = Table(Column("job", overflow="fold"), "state", *right, title=Text(str(run)), box=box.SIMPLE_HEAD)
    for job in jobs:
        numbers = (job.rows.done, job.rows.missing, job.rows.errors)
        name = " ".join(filter(None, (job.model, "on", job.dataset, job.target_rule)))
        rate = "" if math.isnan(job.rate) else f"{job.rate:,.0f}"
        result.add_row(Text(name), job.state, *(f"{number:,}" for number in numbers), rate, duration(job.minutes_left))
    result.caption, result.caption_justify = "rows: one per picture, cell and metric", "left"
    return result


def below(jobs: Sequence[JobStatus]) -> list[str]:
    """Return the lines below the table: reasons, dead processes, and what to paste."""
    lines = [f"{job.model} cannot run: {job.reason}" for job in jobs if job.reason]
    for job in jobs:
        lines += [f"died: {stem}; last line of its log: {line or 'none'}" for stem, line in job.dead.items()]
    commands = list(dict.fromkeys(command for job in jobs for command in job.commands))
    return [*lines, *(["to continue:", *commands] if commands else [])]


def duration(minutes: float) -> str:
    """Return a time as minutes, or as hours and minutes; ``""`` where it is unknown.

    >>> duration(61.2)
    '1 h 02'
    """
    if math.isnan(minutes):
        return ""
    whole = math.ceil(minutes)
    return f"{whole} min" if whole < 60 else f"{whole // 60:,} h {whole % 60:02}"

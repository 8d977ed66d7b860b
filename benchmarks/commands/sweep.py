"""The command ``heatmark sweep``: methods explained, scored and timed, in one job per model and dataset."""

import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from heatmark.benchmarks import api
from heatmark.benchmarks.config.building import build, build_all, build_classifier, listed
from heatmark.benchmarks.config.compose import command_line, run_command, run_folder
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.progress.shown import shown
from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.sweep.estimate import Estimate, together
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.sweep.shards import Shard, parse_shard
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric

ONLY_SHOWS = ("--cfg", "-c", "--info", "-i", "--version")
"""Hydra's own options that print something and run nothing."""

YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")

STARTED = "HEATMARK_SWEEP_STARTED"
"""The environment variable with the time at which a call began, seconds since 1970."""

JOBS = "HEATMARK_SWEEP_JOBS"
"""The environment variable with the number of a call's jobs; ``0`` where it is unknown."""


def main() -> int:
    """Run every job, gather the tables and print the summary; exit code 1 if the run has an error."""
    if dry := [argument for argument in sys.argv[1:] if is_dry(argument)]:
        sys.argv = with_options([argument for argument in sys.argv if argument not in dry], ["dry_run=true"])
    if any(argument.startswith(ONLY_SHOWS) for argument in sys.argv[1:]):
        run_command("sweep", job)
        return 0
    run = run_folder("sweep", sys.argv[1:])  # a wrong name is said before anything runs
    if dry:
        return dry_run()
    os.environ[STARTED] = str(time.time())  # for jobs in other processes, too
    os.environ[JOBS] = str(job_count(sys.argv[1:]))
    run_command("sweep", job)
    return gathered(run)


def gathered(run: Path) -> int:
    """Gather a run's tables and print its summary; exit code 1 if the run has an error."""
    # pandas and SciPy take as long to import as a small sweep takes to run, and no pass waits for them here
    from heatmark.benchmarks.commands.gather import finish
    from heatmark.benchmarks.tables.gather import whole

    if not whole(run):  # parts whose damage the checksums alone show: what was in them is computed now
        run_command("sweep", job)
    return finish(run)


def job(config: DictConfig) -> None:
    """Run one job; if it cannot run, the reason is recorded in the run's folder, and other jobs go on.

    Raises:
        ValueError: where a file asks for a dry run, which begins before any file is read.
    """
    if config.dry_run not in (None, False, *NO, 0):
        raise ValueError(f"dry_run is {config.dry_run} in a file of options; give --dry-run on the command line")
    asked, record = begun(config)
    try:
        with shown(record, job_number()) as observer:
            api.sweep(*built(config), asked, record, observer)
    except Exception as error:  # noqa: BLE001 - a job that cannot run is a row of the table
        record.failed(one_paragraph(error))
        sys.stderr.write(f"{config.model.name} cannot run, reason below\n")


def dry_run() -> int:
    """Print what every job would cost, and the sums over several; exit code 1 if one cannot run.

    All jobs are prepared in this process, and Hydra writes into a folder that is removed.
    """
    found: list[Estimate | None] = []
    with tempfile.TemporaryDirectory() as folder:
        mine = [argument for argument in sys.argv if not argument.startswith(("hydra/launcher=", "hydra.launcher."))]
        nowhere = [f"hydra.run.dir={folder}", f"hydra.sweep.dir={folder}", "hydra/job_logging=none"]
        sys.argv = with_options(mine, nowhere)
        run_command("sweep", lambda config: found.append(estimated(config)))
    known = [each for each in found if each is not None]
    if len(known) > 1:
        said([together(known)])
    return int(len(known) < len(found))


def is_dry(argument: str) -> bool:
    """Whether an argument asks for a dry run.

    Raises:
        ValueError: for a value of ``dry_run`` that is neither yes nor no, so that nothing runs in its place.
    """
    option, _, value = argument.partition("=")
    if option.lstrip("+") != "dry_run":
        return argument == "--dry-run"
    if value.lower() not in (*YES, *NO):
        raise ValueError(f"dry_run is {value!r}, expected true or false")
    return value.lower() in YES


def with_options(arguments: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return arguments with more options in front of the first, because Hydra takes no two groups of options."""
    first = (n for n, argument in enumerate(arguments) if "=" in argument and not argument.startswith("-"))
    place = next(first, len(arguments))
    return [*arguments[:place], *more, *arguments[place:]]


def estimated(config: DictConfig) -> Estimate | None:
    """Print a job's estimate, or why it cannot run, and return it; None if it cannot run."""
    asked, record = begun(config)
    try:
        estimate = api.estimate(*built(config), asked, record)
    except Exception as error:  # noqa: BLE001 - a job that cannot run is said, and other jobs go on
        said([f"{config.model.name} cannot run: {one_paragraph(error)}"])
        return None
    said(estimate.lines())
    return estimate


def said(lines: Sequence[str]) -> None:
    """Write lines to the standard output, as they are."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def begun(config: DictConfig) -> tuple[SweepSettings, JobRecord]:
    """Return a job's settings and its record, of which nothing is written yet."""
    given: Any = OmegaConf.to_container(config, resolve=True)
    shard = Shard(0, 1) if config.shard is None else parse_shard(str(config.shard))
    asked = settings(config, shard)  # a wrong option is said at once, and leaves no job behind
    started = float(os.environ.get(STARTED, time.time()))
    folder = Path(config.results_dir) / config.name
    return asked, JobRecord(folder, given, str(config.model.name), shard, command_line(), started)


def built(config: DictConfig) -> tuple[Classifier, Dataset, dict[str, Method], dict[str, Metric]]:
    """Return a job's classifier, dataset, methods and metrics."""
    methods, metrics = (build_all(config.get(group) or {}, group) for group in ("method", "metric"))
    return build_classifier(config.model), build(config.dataset, "dataset"), methods, metrics


def job_count(arguments: Sequence[str]) -> int:
    """Return how many jobs a call makes, 0 where only Hydra's sweeper knows, as with an experiment's own axes."""
    if not {"-m", "--multirun"} & set(arguments):
        return 0
    try:
        given = OverridesParser.create().parse_overrides([a for a in arguments if not a.startswith("-")])
        return math.prod(len(list(each.sweep_iterator())) for each in given if each.is_sweep_override())
    except HydraException:
        return 0


def job_number() -> str:
    """Return ``job 2 of 5`` for the job that runs now, ``""`` where it is the only one."""
    hydra, count = HydraConfig.get(), os.environ.get(JOBS, "0")
    if hydra.mode != RunMode.MULTIRUN:
        return ""
    return f"job {int(hydra.job.num) + 1}" + (f" of {count}" if count != "0" else "")


def settings(config: DictConfig, shard: Shard) -> SweepSettings:
    """Return the settings in a configuration of ``heatmark sweep``: all but model, dataset, methods and metrics."""
    if not isinstance(config.timing, DictConfig):
        given = str(config.timing).lower()
        raise ValueError(f"timing={given} sets no option of it: give timing.phase={given}")
    return SweepSettings(
        layers=listed(config.layer),
        target=config.target,
        device=config.device,
        precision=config.precision,
        batch_size=None if config.batch_size == "auto" else config.batch_size,
        seed=config.seed,
        replicates=config.replicates,
        timing=None if config.timing.phase == "auto" else bool(config.timing.phase),
        repeats=config.timing.repeats,
        max_seconds=config.timing.max_seconds,
        shard=shard,
        block_size=config.block_size,
        keep_maps=config.keep_maps,
        retry=config.retry,
        reuse=[str(opened(Path(config.results_dir), name)) for name in listed(config.reuse)],
    )

"""The command ``heatmark merge``: runs copied into another."""

import time
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.config.building import listed
from heatmark.benchmarks.config.compose import run_command
from heatmark.benchmarks.runs.heartbeat import require_idle
from heatmark.benchmarks.runs.merge import merge
from heatmark.benchmarks.runs.names import changed, opened, written


def main() -> None:
    """Merge the runs that the command line names."""
    run_command("merge", job)


def job(config: DictConfig) -> None:
    """Copy the runs, and print which of two different requests won."""
    results, name, into = Path(config.results_dir), str(config.name), config.into
    target = changed(results, name) if into is None else written(results, str(into))
    sources = [opened(results, other) for other in ([] if into is None else [name]) + listed(config.others)]
    require_idle(target, time.time())
    lines = [line for source in sources for line in merge(source, target)]
    after = f"{target} holds {len(sources)} more runs; heatmark gather {target.name} writes its tables"
    for line in [*lines, after]:
        Console().print(line, soft_wrap=True, markup=False, highlight=False)

"""The command ``heatmark gather``: a run's tables, made again from its finished cells, and its summary."""

import json
import sys
from pathlib import Path

from heatmark.benchmarks.config.compose import opened_folder
from heatmark.benchmarks.tables.gather import gather, whole
from heatmark.benchmarks.tables.summary import show


def main() -> int:
    """Gather the run that the command line names; exit code 1 if any cell failed or a stored part is damaged."""
    run = opened_folder("gather", sys.argv[1:])
    undamaged = whole(run)
    return max(finish(run), int(not undamaged))


def finish(run: Path) -> int:
    """Write a run's tables and print its summary; return the exit code."""
    results = gather(run)
    show(results, run, json.loads((run / "provenance.json").read_text())["jobs"])
    return int((results["status"] == "error").any())

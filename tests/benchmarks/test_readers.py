"""Tests that the code which reads a run's tables needs neither a network nor a configuration."""

import subprocess
import sys

IMPORTS = """
import importlib, pkgutil, sys
for folder in ("tables", "statistics", "figures", "report"):
    package = importlib.import_module(f"heatmark.benchmarks.{folder}")
    for info in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{info.name}")
print(*sorted({"torch", "torchvision", "omegaconf", "hydra"} & set(sys.modules)))
"""


def test_tables_statistics_figures_and_report_import_no_torch_and_no_hydra() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

"""A run of ``heatmark`` up to a model's first forward pass: ``python -m tests.benchmarks.first_forward ARGUMENTS``.

It then prints the names of the modules that are imported, and the process ends.

``python -m tests.benchmarks.first_forward --measure`` prints the processor time of such a start over that of ``python
-c "import torch, torchvision"``, medians of five runs each, in turn.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.abc import MetaPathFinder
from pathlib import Path

SWEEP = ["sweep", "model=shapes_residual", "dataset.limit=8", "timing.phase=false"]


class StopAtForward(MetaPathFinder):
    """An import hook that ends the process at the first forward pass, once Heatmark's model classes are imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "heatmark.benchmarks.sweep.prepare":
            import torch

            torch.nn.Module.__call__ = stop  # type: ignore[method-assign]


def stop(*_: object) -> None:
    sys.stdout.write(json.dumps(sorted(sys.modules)))
    sys.stdout.flush()
    os._exit(0)


def user_seconds(*arguments: str) -> float:
    """Return the user and system time of Python with these arguments, in an empty folder."""
    import resource  # Windows has none

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
        subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure() -> None:
    calls = {"sweep": ["-m", "tests.benchmarks.first_forward", *SWEEP], "torch": ["-c", "import torch, torchvision"]}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(6):  # the first round warms up
        for name, arguments in calls.items():
            seconds[name].append(user_seconds(*arguments))
    sweep, torch = (statistics.median(seconds[name][1:]) for name in calls)
    sys.stdout.write(f"to the first forward {sweep:.2f} s, torch and torchvision {torch:.2f} s: {sweep / torch:.2f}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        measure()
    else:
        sys.meta_path.insert(0, StopAtForward())
        from heatmark.benchmarks.cli import main

        main()

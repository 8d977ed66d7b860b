"""The command line, ``heatmark COMMAND [option=value …]``; every command is a Hydra application on conf/."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import heatmark
from heatmark.common.names import did_you_mean

GROUPS = {
    "explain and score": {
        "sweep": (
            "explain, score and time methods on a model", "heatmark sweep model=resnet50 'method=[grad_cam,random]'"
        ),
        "time": ("time the methods of a sweep that ran without it", "heatmark time mine model=resnet50 …"),
        "explain": ("one picture: top classes and a panel of maps", "heatmark explain image=cat.jpg model=resnet50"),
    },
    "read a run": {
        "status": ("what of a run is done, and how to continue it", "heatmark status default"),
        "gather": ("write a run's tables again and print its summary", "heatmark gather default"),
        "report": ("write a run as one HTML file to look at", "heatmark report quickstart"),
        "figures": ("draw a run's figures and write its paper tables", "heatmark figures quickstart"),
        "verify": ("compute rows of a run again from your own weights and pictures", "heatmark verify published"),
        "diff": ("compare the results of two runs; exit code 1 if they differ", "heatmark diff default mine"),
    },
    "keep a run": {
        "forget": ("remove methods, layers or metrics from a run", "heatmark forget default method=rise"),
        "rename": ("give a run another name", "heatmark rename default mine"),
        "merge": ("copy runs into another, such as shards of other computers", "heatmark merge mine other"),
        "freeze": ("copy what figures and report need, to keep", "heatmark freeze mine"),
        "export": ("copy what others need to verify and reuse a run", "heatmark export mine to=published"),
        "clean": ("remove stored rows that nothing asks for", "heatmark clean mine dry_run=true"),
    },
    "models and methods": {
        "layers": ("list a model's layers with their output shapes", "heatmark layers model=vgg16 model.weights=null"),
        "check": (
            "say whether implementations are right, and where not", "heatmark check model=vgg16 model.weights=null"
        ),
        "cards": (
            "say whether metrics are sound on your model and data", "heatmark cards model=resnet50 'metric=[deletion]'"
        ),
        "bench": ("time the methods in plain forward passes", "heatmark bench 'models=[resnet18]' 'batch_sizes=[1]'"),
        "train": ("train an embedded network again", "heatmark train model=shapes_residual"),
    },
}  # fmt: skip
"""What every command does, and an example."""

EXAMPLES = {command: said for group in GROUPS.values() for command, said in group.items()}

READER_GONE = 128 + 13
"""The exit code that a shell gives to a command that SIGPIPE ended."""


def main() -> None:
    """Run one command; exit code 0 is success, 1 bad input or failed cells, 2 an unknown command."""
    sys.path[:] = without_checkout(sys.path)
    try:
        code = dispatch(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has ended, as in heatmark … --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python's own flush at exit fails again
        code = READER_GONE
    sys.exit(code)


def without_checkout(path: Sequence[str]) -> list[str]:
    """Return a search path on which the root of a checkout of Heatmark gives ``heatmark`` and nothing else.

    The root would hide a user's own ``methods`` or ``metrics`` that comes later.
    """
    root = Path(__file__).parents[2]
    links = root / ".editable"
    return [str(links) if links.is_dir() and Path(entry) == root else entry for entry in path]


def dispatch(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name, and return its exit code."""
    command, *overrides = list(arguments) or ["--help"]
    if command in ("--help", "-h", "help"):
        print(overview())
        return 0
    if command in ("--version", "-V"):
        print(f"heatmark {heatmark.__version__} (Python {python_version()}, torch {version('torch')})")
        return 0
    if command not in EXAMPLES:
        hint = did_you_mean(command, EXAMPLES, f"there are {', '.join(EXAMPLES)}")
        print(f"heatmark: unknown command {command!r}: {hint}", file=sys.stderr)
        return 2
    return _run(command, overrides)


def overview() -> str:
    """Return the version and the list of commands, with an example each."""
    lines = [
        f"heatmark {heatmark.__version__}, a benchmark suite for attribution methods on image classifiers",
        "",
        "usage: heatmark COMMAND [option=value …]   (heatmark COMMAND --help shows its options)",
        "       heatmark --version",
        "",
    ]
    for title, group in GROUPS.items():
        lines += [f"{title}:"]
        for command, (what, example) in group.items():
            lines += [f"  {command:8} {what}", f"           {example}"]
    return "\n".join(lines)


def _run(command: str, arguments: Sequence[str]) -> int:
    # Hydra would print its own traceback and exit; raised, errors become the one paragraph that they are here.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    from heatmark.benchmarks.config.arguments import rewritten

    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # where a user's own _target_ may lie
    try:
        sys.argv = [f"heatmark {command}", *rewritten(command, arguments)]
        return int(importlib.import_module(f"heatmark.benchmarks.commands.{command}").main() or 0)
    except KeyboardInterrupt:
        again = "; run the same command again to go on" if command == "sweep" else ""  # only a sweep can go on
        print(f"\nheatmark {command}: stopped{again}.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # main handles it
        raise
    except Exception as error:  # noqa: BLE001 - every error becomes a message
        return _report(command, error)


def _report(command: str, error: Exception) -> int:
    from heatmark.benchmarks.config.compose import nearest_hint
    from heatmark.benchmarks.config.errors import EXPECTED, one_paragraph

    print(f"heatmark {command}: {nearest_hint(one_paragraph(error), command)}", file=sys.stderr)
    if not isinstance(error, EXPECTED):
        print("This is a defect of heatmark; the traceback for its authors:", file=sys.stderr)
        traceback.print_exception(error)
    return 1

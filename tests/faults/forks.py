"""Runs in forked child processes: packages that are slow to import are imported once, Heatmark in each child."""

import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SLOW_TO_IMPORT = (
    *("torch", "torchvision", "numpy", "pandas", "scipy.stats", "pyarrow.parquet", "matplotlib.pyplot", "hydra"),
    *("pytest", "hypothesis", "captum.attr", "pytorch_grad_cam", "skimage.segmentation", "safetensors.torch"),
)
OURS = ("benchmarks", "methods", "metrics", "conf", "tests")
FORK = get_context("fork")


def warm_up() -> None:
    """Import what is slow; nothing of it may start a thread, which a fork would lose."""
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True  # a fault of the same length in the same second would run as its predecessor
    for name in SLOW_TO_IMPORT:
        import_module(name)
    import_module("torch").set_num_threads(1)


def copied_tree(place: Path) -> Path:
    """Return a copy of the repository without what git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():  # the import package is made of links to folders
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name, follow_symlinks=False)
    return place


def in_child(tree: Path, seconds: float, work: Callable[..., str], *arguments: Any) -> str:
    """Return what work returns in a child whose code is the tree's; ``hangs`` where it takes longer, or ``dies``.

    Raises:
        RuntimeError: where work raises, which is this runner's mistake: both judges catch what a fault breaks.
    """
    receiver, sender = FORK.Pipe(duplex=False)
    child = FORK.Process(target=_work, args=(sender, tree, work, arguments))
    child.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            return "hangs"
        answer, trouble = receiver.recv()
        if trouble:
            raise RuntimeError(trouble)
        return str(answer)
    except EOFError:
        return "dies"
    finally:
        child.kill()
        child.join()


def _work(sender: Connection, tree: Path, work: Callable[..., str], arguments: tuple[Any, ...]) -> None:
    """Send what work returns, with the tree as the place where the suite is imported from."""
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    log = os.open(tree.parent / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        sender.send((work(*arguments), ""))
    except BaseException:  # noqa: BLE001 - the parent raises it again
        sender.send(("", traceback.format_exc()))
    sys.stdout.flush()
    os._exit(0)

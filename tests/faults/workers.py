"""Worker processes, each with its own copy of the repository, in which one change at a time is judged."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.faults.faults import Change, planted
from tests.faults.forks import FORK, copied_tree, in_child, warm_up
from tests.faults.judges import red_answer, red_finding, red_test
from tests.faults.nearest import nearest_first

C = TypeVar("C", bound=Change)
T = TypeVar("T")

HANG_S, NEAR_HANG_S = 1800, 300
"""After which a child is taken to hang; the whole default run takes 200 s on a quiet core, near tests some seconds."""

CHECKS = {"toys": ["models=[]"], "two networks": ["models=[shapes_plain,shapes_vit]"], "all": []}
"""What ``heatmark check`` is asked for, one after the other, while it is green: cheap first, the bare command last."""

_tree = Path()
"""This worker's copy."""


def each(judge: Callable[[C], T], changes: Iterable[C], jobs: int) -> Iterator[tuple[C, T]]:
    """Yield what a judge says of every change, as they come."""
    warm_up()
    with tempfile.TemporaryDirectory(prefix="heatmark-faults-") as folder:
        pool = ProcessPoolExecutor(jobs, FORK, initializer=_begin, initargs=(Path(folder),))
        asked = {pool.submit(_judged, judge, change): change for change in changes}
        try:
            for answer in as_completed(asked):
                yield asked[answer], answer.result()
        finally:
            pool.shutdown(cancel_futures=True)


def red_of_tests(change: Change, near_only: bool) -> str:
    """Return the first test that is red, the nearest asked first, ``""`` where none is."""
    near, far = nearest_first(_tree, change.file)
    asked = [(near, NEAR_HANG_S)] if near_only else [(near, NEAR_HANG_S), (far, HANG_S)]
    answers = (in_child(_tree, seconds, red_test, files) for files, seconds in asked if files)
    return next(filter(None, answers), "")


def red_of_check(change: Change, rungs: int) -> str:
    """Return the first finding that is red, from the cheapest check on, ``""`` where none is.

    The known answers, which are a part of every check, come before all rungs. The bare command, which takes minutes,
    is asked about methods only.
    """
    names = list(CHECKS)[: rungs if change.file.startswith("methods/") else min(rungs, 2)]
    asked: list[tuple[str, Callable[[], str]]] = [("known answers", partial(_ask, red_answer))]
    asked += [(name, partial(_ask, red_finding, CHECKS[name], _tree.parent / "results")) for name in names]
    found = ((name, ask()) for name, ask in asked)
    return next((f"{name}: {red}" for name, red in found if red), "")


def _ask(judge: Callable[..., str], *arguments: object) -> str:
    return in_child(_tree, HANG_S, judge, *arguments)


def _begin(folder: Path) -> None:
    global _tree
    _tree = copied_tree(Path(tempfile.mkdtemp(dir=folder)) / "heatmark")


def _judged(judge: Callable[[C], T], change: C) -> T:
    with planted(change, _tree):
        return judge(change)

"""The progress of a job, shown where it can be seen and recorded in the run's folder."""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from heatmark.benchmarks.progress.counter import Counter, counting
from heatmark.benchmarks.progress.tally import Tally
from heatmark.benchmarks.progress.views import Notebook, Plain, View
from heatmark.benchmarks.runs.heartbeat import Heartbeat
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.observer import Observer, Step
from heatmark.benchmarks.sweep.passes import Costs, lacks, names_of, total
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.record import JobRecord


@contextmanager
def shown(
    record: JobRecord, number: str = "", view: View | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Observer]:
    """Context with an observer that shows a job's progress and writes its heartbeat and log.

    On a terminal two lines are drawn anew, in a notebook one display; any other output gets a line per block.

    Args:
        record: the job's record.
        number: which job of how many it is, such as ``job 2 of 5``; ``""`` where it is the only one.
        view: where it is shown; None for the terminal or notebook that there is.
        clock: seconds from any fixed moment on.
    """
    heartbeat = Heartbeat(record.root, record.stem)
    view = view or fitting_view(clock)
    with ExitStack() as stack:
        stack.callback(view.close)
        try:
            yield ShownProgress(record, heartbeat, view, number, clock, stack)
        except BaseException:
            heartbeat.finish("error")
            raise
        heartbeat.finish("done")


def fitting_view(clock: Callable[[], float]) -> View:
    """Return the view for the output that there is: a notebook's, a terminal's, else plain lines."""
    notebook = sys.modules.get("IPython")  # imported by whoever runs in one
    if notebook is not None and hasattr(notebook.get_ipython(), "kernel"):
        display = importlib.import_module("IPython.display").display
        return Notebook(clock, lambda page: display(page, display_id=True))
    if sys.stderr.isatty():
        from rich.console import Console

        from heatmark.benchmarks.progress.terminal import Terminal

        return Terminal(Console(stderr=True))
    return Plain()


class ShownProgress(Observer):
    """An observer that keeps a job's tally, shows it and writes the heartbeat.

    Args:
        record: the job's record.
        heartbeat: the process's heartbeat.
        view: where progress is shown.
        number: which job of how many; ``""`` for one alone.
        clock: seconds from any fixed moment on.
        until: removes the model's forward hook when the job has ended.
    """

    def __init__(
        self,
        record: JobRecord,
        heartbeat: Heartbeat,
        view: View,
        number: str,
        clock: Callable[[], float],
        until: ExitStack,
    ) -> None:
        self._record, self._heartbeat, self._view, self._number = record, heartbeat, view, number
        self._clock, self._until = clock, until

    def planned(self, plan: Plan, blocks: int) -> None:
        """Begin to show the job."""
        self._plan, self._costs = plan, Costs(plan)
        steps = (
            step for lack in lacks(plan, self._record.store) for step in lack.steps(plan.computed, self._costs.size)
        )
        unknown = any(metric.passes(self._costs.size) is None for metric in plan.computed.values())
        job = f"{plan.classifier.name} on {plan.dataset.name}"
        self._tally = Tally(
            f"{self._number}: {job}" if self._number else job,
            int(plan.request.facts["shard_size"]),
            blocks,
            total(self._costs, steps),
            self._clock,
            unknown,
        )
        self._counter = Counter(self._passed)
        self._until.enter_context(counting(plan.classifier.module, self._counter))
        self._heartbeat.beat(0, blocks, 0)
        self._view.starts(self._tally)

    def begins(self, step: Step) -> None:
        """Show which step runs."""
        names = ", ".join(cell.method_name for cell in step.cells)
        what = names_of(step, self._plan.computed)
        self._tally.begins(
            step.cells[0].layer if step.cells else "",
            f"{names}, {what}" if names else what,
            step.images,
            self._costs.of(step),
        )
        self._view.changed()

    def ended(self, images: int, errors: int) -> None:
        """Count the pictures of a block."""
        tally = self._tally
        tally.ended(images, errors)
        self._view.ended()
        self._heartbeat.beat(tally.ended_blocks, tally.blocks, errors)
        self._heartbeat.log(f"block {tally.ended_blocks} of {tally.blocks}, {errors} errors")

    def times(self, cell: Cell, number: int, count: int) -> None:
        """Show which cell is timed."""
        self._tally.begins(cell.layer, f"{cell.method_name}, timing {number} of {count}", 0, 0.0)
        self._view.changed()

    def _passed(self) -> None:
        self._tally.seen = self._counter.passes
        self._view.changed()

"""Tests of progress: what is shown where, with a clock that the test sets."""

import copy
import io
import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from heatmark.benchmarks import api
from heatmark.benchmarks.progress import shown as module
from heatmark.benchmarks.progress.counter import Counter, counting
from heatmark.benchmarks.progress.shown import fitting_view, shown
from heatmark.benchmarks.progress.tally import Tally, fitted
from heatmark.benchmarks.progress.terminal import Terminal, TwoLines
from heatmark.benchmarks.progress.views import Notebook, Plain
from heatmark.benchmarks.runs.heartbeat import beats, last_line
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.random_map import RandomMap
from heatmark.metrics.deletion import Deletion
from tests.benchmarks.sweep.toys import Mean, classifier, swept, toys


class Clock:
    """A clock that stands still until a test sets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Seen:
    """A view that notes the lines of every change."""

    width: int = 100
    lines: list[tuple[str, str]] = field(default_factory=list)

    def starts(self, tally: Tally) -> None:
        self.tally = tally

    def changed(self) -> None:
        self.lines.append(self.tally.lines(self.width))

    def ended(self) -> None: ...

    def close(self) -> None: ...


def running(clock: Clock) -> Tally:
    """Return a job of which a third is done after 100 s, in the midst of a step of 64 images."""
    tally = Tally("job 2 of 5: shapes_residual on shapes", 500, 8, 3000.0, clock)
    tally.begins("layer4.1.conv2", "score_cam, maps", 64, 800.0)
    clock.now, tally.seen = 80.0, 800
    tally.ended(64, 2)
    tally.begins("layer4.1.conv2", "grad_cam, deletion", 64, 400.0)
    clock.now, tally.seen = 100.0, 1000
    return tally


def test_the_time_left_is_the_share_of_all_passes_made() -> None:
    tally = running(Clock())
    assert tally.left == pytest.approx(100 * 2000 / 1000)
    assert tally.images_now == 32


def test_the_time_left_is_unknown_before_a_hundredth_is_made_and_after_the_last() -> None:
    clock = Clock()
    tally = Tally("a", 1, 1, 1000.0, clock)
    tally.begins("", "predictions", 1, 400.0)
    clock.now, tally.seen = 3.0, 9
    assert tally.left is None
    assert "left" not in tally.times
    tally.seen = 10
    assert tally.left == pytest.approx(3 * 990 / 10)
    tally.begins("input", "a", 1, 600.0)
    assert tally.left == pytest.approx(3 * 600 / 400)
    tally.ended(1, 0)
    assert tally.left is None


def test_no_time_is_left_after_the_last_block_though_rows_of_other_runs_were_never_made() -> None:
    tally = Tally("a", 2, 2, 1000.0, Clock())
    tally.begins("", "predictions", 1, 400.0)
    tally.ended(1, 0)
    assert tally.left is not None
    tally.ended(1, 0)
    assert tally.left is None


def test_the_time_left_stays_within_a_slow_step() -> None:
    clock = Clock()
    tally = Tally("a", 4, 2, 100.0, clock)
    tally.begins("", "predictions", 2, 50.0)
    clock.now = 10.0
    tally.begins("input", "slow, maps", 2, 50.0)
    shown = []
    for second in range(10, 51, 10):  # 40 s in which nothing goes through the model
        clock.now = float(second)
        shown.append(tally.left)
    assert shown == [10.0, 20.0, 30.0, 40.0, 50.0]


def test_a_step_that_runs_more_passes_than_expected_counts_no_more_than_itself() -> None:
    tally = running(Clock())
    tally.seen = 10**6
    assert tally.images_now == 64


def test_a_lower_bound_is_said_to_be_one() -> None:
    clock = Clock()
    tally = Tally("a", 4, 2, 100.0, clock, unknown=True)
    tally.begins("", "predictions", 2, 50.0)
    clock.now = 10.0
    tally.begins("input", "a", 2, 50.0)
    assert tally.times == "0:10, at least 0:10 left"


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            80,
            [
                "job 2 of 5: shapes_residual on shap…  64/500 pictures, 2 errors, 1:40, 3:20 left",
                "  grad_cam, deletion at layer4.1.conv2  32/64 images",
            ],
        ),
        (
            60,
            [
                "job 2 of 5: sha…  64/500 pictures, 2 errors, 1:40, 3:20 left",
                "  grad_cam, deletion at layer4.1.conv2  32/64 images",
            ],
        ),
        (30, ["  64/500 pictures, 2 errors, 1", "  grad_cam, del…  32/64 images"]),
    ],
)
def test_two_lines_are_cut_and_never_wrapped(width: int, lines: list[str]) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(TwoLines(running(Clock())), end="")
    assert isinstance(console.file, io.StringIO)
    drawn = console.file.getvalue().rstrip("\n").split("\n")
    assert len(drawn) == 2
    assert all(len(line) <= width for line in drawn)
    assert [line.rstrip() for line in drawn] == lines


def test_a_name_is_cut_first() -> None:
    assert fitted("name", " 12", 7) == "name 12"
    assert fitted("names", " 12", 7) == "nam… 12"
    assert fitted("names", " 1234567", 6) == " 12345"


def run(root: Path, view: object, clock: Clock, metric: object = None) -> None:
    record = JobRecord(root, {"model": "net", "dataset": "toys"}, "net")
    asked = SweepSettings(device="cpu", batch_size=2, timing=True, block_size=3, repeats=1)
    methods = {"grad_cam": GradCAM(), "random": RandomMap()}
    with shown(record, "job 1 of 2", view, clock) as observer:  # type: ignore[arg-type]
        api.sweep(classifier(), toys(), methods, {"deletion": metric or Deletion(steps=4)}, asked, record, observer)  # type: ignore[dict-item]


def test_a_sweep_says_what_runs_now(tmp_path: Path) -> None:
    view = Seen()
    run(tmp_path, view, Clock())
    seconds = [second for _, second in view.lines]
    assert "  predictions  1/3 images" in seconds
    assert "  grad_cam, maps at 0  1/3 images" in seconds  # of two batches of two, one has run
    assert "  random, deletion at input  1/3 images" in seconds
    assert "  grad_cam, timing 1 of 2 at 0" in seconds
    assert "  random, timing 2 of 2 at input" in seconds
    assert view.lines[0][0] == "job 1 of 2: net on toys  0/7 pictures, 0:00"
    assert view.tally.done == 7


def test_all_expected_passes_are_made_when_the_last_block_ends(tmp_path: Path) -> None:
    view, clock = Seen(), Clock()
    run(tmp_path, view, clock)
    assert view.tally._done_passes == view.tally._passes > 0


def test_plain_lines_one_per_block_flushed(tmp_path: Path) -> None:
    class Flushed(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    file, clock = Flushed(), Clock()
    run(tmp_path, Plain(file), clock)
    assert file.getvalue().splitlines() == [
        "job 1 of 2: net on toys: block 1 of 3, 3/7 pictures, 0 errors, after 0:00, 0:00 left",
        "job 1 of 2: net on toys: block 2 of 3, 6/7 pictures, 0 errors, after 0:00, 0:00 left",
        "job 1 of 2: net on toys: block 3 of 3, 7/7 pictures, 0 errors, after 0:00",
    ]
    assert file.flushes == 3


def test_a_notebook_has_one_display_that_is_drawn_anew(tmp_path: Path) -> None:
    drawn: list[str] = []
    clock = Clock()
    handle = SimpleNamespace(update=lambda page: drawn.append(page._repr_html_()))

    def show(page: object) -> object:
        drawn.append("first")
        return handle

    run(tmp_path, Notebook(clock, show), clock)
    assert [at for at, page in enumerate(drawn) if page == "first"] == [0]
    assert len(drawn) == 1 + 3 + 1  # a clock that stands still: at the end of each block, and at the end
    assert '<progress value="7" max="7"' in drawn[-1]
    assert "job 1 of 2: net on toys" in drawn[-1]


def test_a_notebook_is_drawn_no_more_often_than_it_can_be_seen() -> None:
    clock, drawn = Clock(), []
    view = Notebook(clock, lambda _: SimpleNamespace(update=drawn.append))
    view.starts(running(Clock()))
    for now in (0.1, 0.4, 0.6, 0.7, 1.2):
        clock.now = now
        view.changed()
    assert len(drawn) == 2


def test_the_heartbeat_and_the_log_are_written(tmp_path: Path) -> None:
    run(tmp_path, Seen(), Clock())
    ((stem, beat),) = beats(tmp_path).items()
    assert (beat.status, beat.done, beat.blocks) == ("done", 3, 3)
    assert last_line(tmp_path, stem) == "block 3 of 3, 0 errors"


def test_a_job_that_fails_says_so_in_its_heartbeat(tmp_path: Path) -> None:
    record = JobRecord(tmp_path, {})
    with pytest.raises(KeyboardInterrupt), shown(record, view=Seen()):
        raise KeyboardInterrupt
    assert [beat.status for beat in beats(tmp_path).values()] == ["error"]


def test_the_view_fits_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    error = SimpleNamespace(isatty=lambda: False)
    monkeypatch.setattr(module.sys, "stderr", error)
    monkeypatch.delitem(module.sys.modules, "IPython", raising=False)
    assert isinstance(fitting_view(Clock()), Plain)
    error.isatty = lambda: True
    assert isinstance(fitting_view(Clock()), Terminal)
    shells = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    displayed: list[object] = []
    display = SimpleNamespace(display=lambda page, display_id: displayed.append((page, display_id)))
    monkeypatch.setitem(module.sys.modules, "IPython", shells)  # type: ignore[arg-type]
    monkeypatch.setitem(module.sys.modules, "IPython.display", display)  # type: ignore[arg-type]
    view = fitting_view(Clock())
    assert isinstance(view, Notebook)
    view.starts(running(Clock()))
    assert [ident for _, ident in displayed] == [True]


def test_watching_changes_no_number(tmp_path: Path) -> None:
    run(tmp_path / "watched", Seen(), Clock())
    methods = {"grad_cam": GradCAM(), "random": RandomMap()}
    alone = swept(tmp_path / "alone", methods, {"deletion": Deletion(steps=4)})
    watched = type(alone)(tmp_path / "watched")
    assert alone.everything() == watched.everything()


def test_the_hook_is_gone_afterwards_and_copies_have_one_that_counts_for_nobody() -> None:
    net = classifier().module
    counter, images = Counter(), torch.zeros(3, 3, 12, 10)
    with counting(net, counter):
        for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            copied(images)
        assert counter.passes == 0
        with torch.no_grad():
            net(images)
        assert counter.passes == 3
        net(images)  # with a graph: a backward pass follows
        assert counter.passes == 9
    assert not net._forward_hooks
    net(images)
    assert counter.passes == 9


def test_a_model_that_is_scripted_is_not_counted() -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    counter = Counter()
    with counting(torch.jit.script(Twice()), counter):
        pass
    assert counter.passes == 0


def test_metrics_that_say_nothing_make_the_time_left_a_lower_bound(tmp_path: Path) -> None:
    view, clock = Seen(), Clock()
    run(tmp_path, view, clock, Mean())
    assert view.tally._unknown
    assert json.loads(next((tmp_path / "jobs").glob("*.json")).read_text())["status"] == "done"

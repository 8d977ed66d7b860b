"""Timing in turn, medians and ratios by hand, and the search for the best batch size."""

import math

import pytest
import torch
from torch import nn

from heatmark.benchmarks.machine import batch_size, timing
from heatmark.benchmarks.machine.batch_size import best_batch_size
from heatmark.benchmarks.machine.timing import interleaved, peak_memory_mib, time_against_forward

CPU = torch.device("cpu")


class Clock:
    """A clock that stands still but for what calls add to it, in seconds."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def taking(self, *milliseconds):
        """Return a call that takes so many milliseconds, one number a call, the last one for ever."""
        pending = list(milliseconds)

        def call():
            self.now += (pending.pop(0) if len(pending) > 1 else pending[0]) / 1000

        return call


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", clock)
    return clock


def test_medians_spread_and_cost_are_exact(clock):
    # After a warm-up of 999 ms each: ratios 2, 2, 1, 5, 3 have the median 2; the ratio of medians would be 40/20 too.
    call, forward = clock.taking(999, 20, 40, 30, 50, 90), clock.taking(999, 10, 20, 30, 10, 30)
    t = time_against_forward(call, forward, CPU, batch_size=7, precision="bf16", repeats=5, max_seconds=100)
    assert (t.batch_size, t.repeats, t.precision) == (7, 5, "bf16")
    assert t.latency_ms == pytest.approx(40)
    assert t.latency_iqr_ms == pytest.approx(50 - 30)
    assert t.forward_ms == pytest.approx(20)
    assert t.cost_in_forwards == pytest.approx(2)
    assert math.isnan(t.peak_memory_mib)
    assert "threads" in t.device


def test_cost_is_the_median_of_pairs_so_that_a_drifting_machine_does_not_matter(clock):
    # The machine slows down tenfold in the middle; every round costs exactly 3 forwards.
    call, forward = clock.taking(1, 30, 30, 300, 300, 300), clock.taking(1, 10, 10, 100, 100, 100)
    assert time_against_forward(call, forward, CPU, batch_size=1).cost_in_forwards == pytest.approx(3)


def test_one_repeat_always_runs_and_no_round_starts_after_the_limit(clock):
    slow, fast = clock.taking(60_000), clock.taking(1)
    once = time_against_forward(slow, fast, CPU, batch_size=1, repeats=9, max_seconds=10)
    assert (once.repeats, once.latency_iqr_ms) == (1, 0)
    assert once.cost_in_forwards == pytest.approx(60_000)
    # Warm-up 2 s, then rounds of 2 s: they start at 2, 4, 6 and 8 s, and none at 10 s and a bit.
    rounds = interleaved({"a": clock.taking(1000), "b": clock.taking(1001)}, CPU, 99, max_seconds=10)
    assert len(rounds["a"]) == len(rounds["b"]) == 4


def test_calls_run_round_robin_after_a_warm_up(clock):
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    rounds = interleaved(calls, CPU, 2, 10)
    assert "".join(order) == "abc" * 3
    assert {name: len(times) for name, times in rounds.items()} == {"a": 2, "b": 2, "c": 2}


def test_no_repeat_is_refused():
    with pytest.raises(ValueError, match="repeats=0, expected at least 1"):
        interleaved({}, CPU, 0, 1)


def test_peak_memory_runs_nothing_where_it_is_not_counted():
    assert math.isnan(peak_memory_mib(lambda: 1 / 0, CPU))


@pytest.mark.gpu
def test_events_and_peak_memory_on_a_gpu():
    device = torch.device("cuda")
    call = lambda: torch.ones(64, 2**20, device=device).sum()  # noqa: E731 - 256 MiB
    t = time_against_forward(call, call, device, batch_size=1)
    assert 256 <= t.peak_memory_mib < 300
    assert 0 < t.cost_in_forwards < math.inf  # how large it is, no test can say of a GPU that others use too
    assert t.device == torch.cuda.get_device_name()


class Throughput(nn.Module):
    """A model whose time for a batch is known."""

    def __init__(self, clock, milliseconds, limit=10**9):
        super().__init__()
        self.clock, self.milliseconds, self.limit, self.batches = clock, milliseconds, limit, []

    def forward(self, images):
        self.batches.append(len(images))
        if len(images) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.clock.now += self.milliseconds(len(images)) / 1000
        return images


IMAGE = torch.zeros(3, 2, 2)


def test_best_batch_is_the_one_of_most_images_a_second(clock):
    # 10 ms a batch + 1 ms an image up to 16, 2 ms an image beyond.
    model = Throughput(clock, lambda n: 10 + n * (1 if n <= 16 else 2))
    assert best_batch_size(model, IMAGE) == 16
    assert max(model.batches) == 32  # throughput has fallen: no larger one is tried


def test_out_of_memory_ends_the_ladder(clock):
    model = Throughput(clock, lambda n: 10 + n, limit=20)
    assert best_batch_size(model, IMAGE) == 16
    assert best_batch_size(Throughput(clock, lambda n: n, limit=1), IMAGE) == 4


def test_other_errors_are_not_swallowed(clock):
    class Broken(nn.Module):
        def forward(self, images):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        best_batch_size(Broken(), IMAGE)


def test_time_is_limited(clock):
    model = Throughput(clock, lambda n: 400 * n)
    assert batch_size.best_batch_size(model, IMAGE, max_seconds=3) == 4
    assert set(model.batches) == {4}

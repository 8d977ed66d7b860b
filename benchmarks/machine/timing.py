"""Timing of calls on any device, in turn, so that a busy or throttling machine slows all of them alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from heatmark.benchmarks.machine.provenance import device_name

MIB = 2**20


@dataclass(frozen=True)
class Timing:
    """The cost of one call, beside the plain forward pass of the same batch, measured alternately.

    Args:
        batch_size: images per call.
        latency_ms: median over the repeats.
        latency_iqr_ms: interquartile range over the repeats.
        forward_ms: median of the plain forward pass.
        cost_in_forwards: median over the repeats of call / forward, both of one round; steadier than the ratio of
            medians where the machine's speed drifts.
        peak_memory_mib: the most memory that a call held above the level before it, in MiB; NaN on CPU and MPS, which
            do not count it.
        repeats: timed calls, warm-up not counted.
        device: its name.
        precision: as the caller ran it.
    """

    batch_size: int
    latency_ms: float
    latency_iqr_ms: float
    forward_ms: float
    cost_in_forwards: float
    peak_memory_mib: float
    repeats: int
    device: str
    precision: str


def time_against_forward(
    call: Callable[[], object],
    forward: Callable[[], object],
    device: torch.device,
    *,
    batch_size: int,
    precision: str = "fp32",
    repeats: int = 5,
    max_seconds: float = 10.0,
) -> Timing:
    """Return the cost of a call beside the plain forward pass of the same batch.

    Args:
        call: what to time.
        forward: the plain forward pass, without a graph.
        device: where both run.
        batch_size: images per call; only recorded.
        precision: only recorded.
        repeats: rounds of forward and call.
        max_seconds: no new round starts after this long; one round always runs.
    """
    rounds = interleaved({"forward": forward, "call": call}, device, repeats, max_seconds)
    peak = peak_memory_mib(call, device)
    return summarise(rounds["call"], rounds["forward"], device, batch_size=batch_size, precision=precision, peak=peak)


def summarise(
    call_ms: list[float], forward_ms: list[float], device: torch.device, *, batch_size: int, precision: str, peak: float
) -> Timing:
    """Return medians and spreads of a call and the forward passes that ran beside it, round by round."""
    return Timing(
        batch_size=batch_size,
        latency_ms=median(call_ms),
        latency_iqr_ms=iqr(call_ms),
        forward_ms=median(forward_ms),
        cost_in_forwards=median(ratios(call_ms, forward_ms)),
        peak_memory_mib=peak,
        repeats=len(call_ms),
        device=device_name(device),
        precision=precision,
    )


def interleaved(
    calls: Mapping[str, Callable[[], object]], device: torch.device, repeats: int, max_seconds: float
) -> dict[str, list[float]]:
    """Return the times of several calls, made in turn: one round to warm up, then one call of each per round.

    Args:
        calls: what to time, by name.
        device: where they run.
        repeats: rounds at most.
        max_seconds: no new round starts after this long, the warm-up included; one round always runs.

    Returns:
        Milliseconds of every round, by name, equally many for each.

    Raises:
        ValueError: where repeats is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats={repeats}, expected at least 1")
    deadline = time.perf_counter() + max_seconds
    for call in calls.values():
        milliseconds(call, device)
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for done in range(repeats):
        if done and time.perf_counter() > deadline:
            break
        for name, call in calls.items():
            rounds[name].append(milliseconds(call, device))
    return rounds


def milliseconds(call: Callable[[], object], device: torch.device) -> float:
    """Return how long one call takes until the device has finished it: CUDA events on a GPU, else the wall clock."""
    synchronize(device)
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        with torch.cuda.device(device):
            start.record()
            call()
            end.record()
        end.synchronize()
        return float(start.elapsed_time(end))
    began = time.perf_counter()
    call()
    synchronize(device)
    return 1000 * (time.perf_counter() - began)


def peak_memory_mib(call: Callable[[], object], device: torch.device) -> float:
    """Return the most memory that a call holds above the level before it, in MiB; NaN on CPU and MPS.

    Runs the call once more, on CUDA only.
    """
    if device.type != "cuda":
        return float("nan")
    synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    call()
    synchronize(device)
    return (torch.cuda.max_memory_allocated(device) - before) / MIB


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def median(values: list[float]) -> float:
    """Return the median."""
    return float(np.median(values))


def iqr(values: list[float]) -> float:
    """Return the interquartile range, by linear interpolation; 0 for a single value."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


def ratios(values: list[float], references: list[float]) -> list[float]:
    """Return each value divided by the reference of its round."""
    return [value / reference for value, reference in zip(values, references, strict=True)]

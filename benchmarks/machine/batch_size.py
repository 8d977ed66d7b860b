"""The batch size at which a model is fastest on its device, found by timing."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from heatmark.benchmarks.machine.timing import milliseconds
from heatmark.common.batching import out_of_memory

FALLEN = 0.9
"""The search stops where throughput is below this fraction of its best; a smaller drop may be noise."""


def best_batch_size(
    model: nn.Module,
    image: Tensor,
    candidates: Sequence[int] = (4, 8, 16, 32, 64, 128, 256),
    max_seconds: float = 3.0,
) -> int:
    """Return the candidate with the most images per second in a plain forward pass.

    Candidates are timed in turn until throughput falls, memory runs out or time is up. The answer may differ from run
    to run, and another batch size moves maps by rounding, so a run keeps the size that its first job finds. Where not
    even the first candidate fits in memory it is returned all the same, for the caller to halve.

    Args:
        model: in evaluation mode, on the image's device.
        image: (3, H, W), one real input.
        candidates: batch sizes, rising.
        max_seconds: no larger batch is begun after this long.
    """
    deadline = time.perf_counter() + max_seconds
    best, best_throughput = candidates[0], 0.0
    for batch_size in candidates:
        throughput = _throughput(model, image, batch_size)
        if throughput > best_throughput:
            best, best_throughput = batch_size, throughput
        if throughput < FALLEN * best_throughput or time.perf_counter() > deadline:
            break
    return best


def _throughput(model: nn.Module, image: Tensor, batch_size: int) -> float:
    """Return images per second, the better of two calls after a warm-up; 0 where the batch does not fit."""
    images = image.expand(batch_size, *image.shape).contiguous()
    try:
        with torch.inference_mode():
            model(images)
            return batch_size / min(milliseconds(lambda: model(images), image.device) for _ in range(2)) * 1000
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return 0.0

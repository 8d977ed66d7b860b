"""Out of memory is no failure: halve the batch and go on."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "_status_alloc_failed")


def halving(run: Callable[[int], T], batch_size: int) -> T:
    """Return run(batch_size), with half the batch as often as memory runs out.

    Raises:
        RuntimeError: the device's own error, where even one image at a time is too much.
    """
    while True:
        try:
            return run(batch_size)
        except RuntimeError as error:
            if batch_size == 1 or not out_of_memory(error):
                raise
        # Outside the handler, so that the traceback no longer holds the tensors that filled the device.
        batch_size //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()


def out_of_memory(error: RuntimeError) -> bool:
    """Say whether this is a device's or the host's way of being out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)


def with_batch_size(method: T, batch_size: int) -> T:
    """Return the method with its own inner batch set, and that of methods it wraps; a number never changes.

    Any dataclass with a field ``batch_size`` will do, and so will any that holds one.
    """
    changes: dict[str, object] = {}
    for field in dataclasses.fields(method):  # type: ignore[arg-type]
        value = getattr(method, field.name)
        if field.name == "batch_size":
            changes[field.name] = batch_size
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            changes[field.name] = with_batch_size(value, batch_size)
    return dataclasses.replace(method, **changes) if changes else method  # type: ignore[type-var]

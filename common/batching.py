"""Batch sizes: halving one when memory runs out, setting that of a method, and filling up a short batch."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "_status_alloc_failed")


def halving(run: Callable[[int], T], batch_size: int) -> T:
    """Return run(batch_size), halving the batch size each time the device runs out of memory.

    Raises:
        RuntimeError: the device's own error, if memory runs out even at batch size 1, or any other error of ``run``.
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
    """Return whether the error means that a device or the host is out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)


def with_batch_size(method: T, batch_size: int) -> T:
    """Return the method with this ``batch_size``, also in the methods that it wraps; its maps do not change.

    ``method`` is any dataclass with a field ``batch_size``, or with a field that is such a dataclass.
    """
    changes: dict[str, object] = {}
    for field in dataclasses.fields(method):  # type: ignore[arg-type]
        value = getattr(method, field.name)
        if field.name == "batch_size":
            changes[field.name] = batch_size
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            changes[field.name] = with_batch_size(value, batch_size)
    return dataclasses.replace(method, **changes) if changes else method  # type: ignore[type-var]


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of ``size`` items, the last one shorter, drawing no item before its list is asked for.

    >>> list(chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    source = iter(items)
    while some := list(islice(source, size)):
        yield some


def padded(tensor: Tensor, size: int) -> Tensor:
    """Return the tensor with its last element along the first dimension repeated until it has this many.

    In batches of one size no image's result depends on how many others are beside it. A tensor that is long enough is
    returned as it is.

    Raises:
        ValueError: if there is no element to repeat.
    """
    missing = size - len(tensor)
    if missing <= 0:
        return tensor
    if not len(tensor):
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)} has no last element to repeat up to {size}")
    return torch.cat([tensor, tensor[-1:].expand(missing, *tensor.shape[1:])])

"""A forward hook that counts the passes of images through a model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Counter:
    """A forward hook that counts passes and changes nothing: an image's forward pass, and a backward pass to follow it.

    A copy of a model gets a hook that counts for nobody, so that models can be copied and pickled meanwhile.

    Args:
        after: is called after each forward pass.
    """

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self.passes, self._after = 0, after

    def __call__(self, _module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
        """Count a batch, twice where it has a graph, which is recorded for a backward pass."""
        if isinstance(output, Tensor) and output.ndim:
            self.passes += len(output) * (2 if output.requires_grad else 1)
        self._after()

    def __reduce__(self) -> tuple[type["Counter"], tuple[()]]:
        return Counter, ()


@contextmanager
def counting(module: nn.Module, counter: Counter) -> Iterator[None]:
    """Context in which the forward passes of a model are counted; a scripted model takes no hook and is not."""
    if isinstance(module, torch.jit.RecursiveScriptModule):  # type: ignore[attr-defined]
        yield
        return
    handle = module.register_forward_hook(counter)
    try:
        yield
    finally:
        handle.remove()

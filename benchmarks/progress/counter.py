"""A forward hook that counts the images that go through a model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Counter:
    """A forward hook that counts images and changes nothing.

    A copy of a model gets a hook that counts for nobody, so that models can be copied and pickled meanwhile.

    Args:
        after: is called after each forward pass.
    """

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self.images, self._after = 0, after

    def __call__(self, _module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
        """Count the images of a forward pass."""
        self.images += len(output) if isinstance(output, Tensor) and output.ndim else 0
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

"""How a model and its images are preserved to another library."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.common.features import find_layer
from heatmark.common.model_state import untouched
from heatmark.common.seeds import image_seed


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Lend the model, untouched afterwards, and keep the library's advice to its own callers off the terminal."""
    with warnings.catch_warnings(), untouched(model):
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def preserved_for(model: nn.Module, layer: str) -> Iterator[None]:
    """Lend the model so that a library's backward pass ends at the layer, and computes nothing for parameters.

    The layer's output has the same values and is still not a leaf, so that what runs in place after it may.

    Raises:
        ValueError: where the layer is unknown.
    """

    def cut(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> Tensor:
        return output.detach().requires_grad_().clone()

    with preserved(model):
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        find_layer(model, layer).register_forward_hook(cut)
        yield


def in_chunks(images: Tensor, targets: Tensor, size: int, explain: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return explain(images, targets) for ``size`` images at a time, each a copy whose flags the library may set."""
    chunks = zip(torch.split(images, size), torch.split(targets, size), strict=True)
    return torch.cat([explain(x.detach().clone(), t).detach() for x, t in chunks])


def seed_all(images: Tensor, seed: int) -> None:
    """Seed the global generators, which libraries draw from, by the one image that is explained next.

    Only inside :func:`preserved`, which restores them.
    """
    one = image_seed(images[0], seed)
    random.seed(one)
    np.random.seed(one % 2**32)
    torch.manual_seed(one)


@contextmanager
def recorded(owner: Any, step: str) -> Iterator[list[Any]]:
    """Keep what one step of a library's pipeline, a method of an object or a function of a module, returns."""
    results: list[Any] = []
    theirs = getattr(owner, step)
    own = step in vars(owner)

    def record(*args: Any, **kwargs: Any) -> Any:
        results.append(theirs(*args, **kwargs))
        return results[-1]

    setattr(owner, step, record)
    try:
        yield results
    finally:
        if own:
            setattr(owner, step, theirs)
        else:
            delattr(owner, step)

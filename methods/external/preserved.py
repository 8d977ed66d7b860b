"""Contexts and helpers for calling another library without changing the model, the images or the random state."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.common.batching import padded
from heatmark.common.features import find_layer
from heatmark.common.model_state import untouched
from heatmark.common.seeds import image_seed


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Context in which a library may change the model's state, which is restored; the library's warnings are hidden."""
    with warnings.catch_warnings(), untouched(model):
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def preserved_for(model: nn.Module, layer: str) -> Iterator[None]:
    """Context as :func:`preserved`, in which a backward pass ends at the layer and computes no parameter's gradient.

    The layer's output keeps its values and is no leaf of the autograd graph, so that in-place modules after it work.

    Raises:
        ValueError: if the layer is unknown.
    """

    def cut(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> Tensor:
        return output.detach().requires_grad_().clone()

    with preserved(model):
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        find_layer(model, layer).register_forward_hook(cut)
        yield


def in_chunks(images: Tensor, targets: Tensor, size: int, explain: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return explain(images, targets), called with copies of ``size`` images at a time, concatenated.

    In the last call the last image is repeated, so that an image's map does not depend on its place in the batch.
    """
    chunks = zip(torch.split(images, size), torch.split(targets, size), strict=True)
    maps = [explain(padded(x, size).detach().clone(), padded(t, size)).detach() for x, t in chunks]
    return torch.cat(maps)[: len(images)]


def seed_all(images: Tensor, seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch by the seed and the first image, (1, 3, H, W).

    Call it inside :func:`preserved` only, which restores the generators.
    """
    one = image_seed(images[0], seed)
    random.seed(one)
    np.random.seed(one % 2**32)
    torch.manual_seed(one)


@contextmanager
def recorded(owner: Any, step: str) -> Iterator[list[Any]]:
    """Context that records the return values of a method of an object or a function of a module, in order."""
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

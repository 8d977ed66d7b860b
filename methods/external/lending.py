"""How a model and its images are lent to another library."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from methods.pristine import untouched
from methods.seeds import image_seed


@contextmanager
def lent(model: nn.Module) -> Iterator[None]:
    """Lend the model, untouched afterwards, and keep the library's advice to its own callers off the terminal."""
    with warnings.catch_warnings(), untouched(model):
        warnings.simplefilter("ignore", UserWarning)
        yield


def in_chunks(images: Tensor, targets: Tensor, size: int, explain: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return explain(images, targets) for ``size`` images at a time, each a copy whose flags the library may set."""
    chunks = zip(torch.split(images, size), torch.split(targets, size), strict=True)
    return torch.cat([explain(x.detach().clone(), t).detach() for x, t in chunks])


def seed_all(images: Tensor, seed: int) -> None:
    """Seed the global generators, which libraries draw from, by the one image that is explained next.

    Only inside :func:`lent`, which restores them.
    """
    one = image_seed(images[0], seed)
    random.seed(one)
    np.random.seed(one % 2**32)
    torch.manual_seed(one)

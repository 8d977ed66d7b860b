"""Seeds: one random generator per image, which depends on its pixels and a seed but not on the batch; replicates."""

import hashlib
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

VERSION = 1
"""Raised by whoever changes a seed or a draw: outdates all methods and metrics that draw."""


def image_seed(image: Tensor, seed: int, purpose: str = "") -> int:
    """Return a seed made from the image's pixels and a seed; the same on every device and in every batch.

    Args:
        image: (3, H, W).
        seed: the seed of the run or of an option, a signed integer of 8 bytes.
        purpose: what is drawn; draws of different purposes are independent. Methods draw with ``""``.
    """
    pixels = image.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
    digest = hashlib.sha256(purpose.encode() + seed.to_bytes(8, "little", signed=True) + pixels).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def image_generator(image: Tensor, seed: int, purpose: str = "") -> torch.Generator:
    """Return a CPU generator for this image; draw on the CPU and then move, so that all devices get equal numbers."""
    return torch.Generator().manual_seed(image_seed(image, seed, purpose))


def replicate_seed(seed: int, replicate: int) -> int:
    """Return the seed of a replicate, in [0, 2³¹); the seed itself for replicate 0.

    Args:
        seed: the seed as it was given.
        replicate: number of the draw, from 0.
    """
    if replicate == 0:
        return seed
    digest = hashlib.sha256(f"replicate {replicate} of {seed}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def redrawn(thing: T, replicate: int) -> T:
    """Return a method or metric with the seed of a replicate in its field ``seed``, and in the methods that it holds.

    What draws nothing from a field ``seed`` is returned as it is.

    Args:
        thing: a frozen dataclass.
        replicate: number of the draw, from 0.
    """
    if not is_dataclass(thing) or isinstance(thing, type):
        return thing
    own = {f.name: getattr(thing, f.name) for f in fields(thing) if f.init}
    again = {name: _again(name, value, replicate) for name, value in own.items()}
    new = {name: value for name, value in again.items() if value is not own[name]}
    made: Any = replace(thing, **new) if new else thing
    # a class that draws nothing with its other options may have set the seed back
    return made if any(getattr(made, name) != own[name] for name in new) else thing


def _again(name: str, value: object, replicate: int) -> object:
    is_seed = name == "seed" and isinstance(value, int) and not isinstance(value, bool)
    return replicate_seed(value, replicate) if is_seed else redrawn(value, replicate)  # type: ignore[arg-type]

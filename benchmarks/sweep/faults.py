"""The isolation of faults: what a method or metric raises on a batch is traced to the images at fault."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

T = TypeVar("T")
Images = Sequence[int]
"""Positions of images in their block."""

BROKEN_DEVICE = ("cuda error", "device-side assert", "cublas_status_execution_failed", "illegal memory access")


def isolated(run: Callable[[Images], Sequence[T]], images: Images) -> tuple[dict[int, T], dict[int, str]]:
    """Return each image's result and, for the images on which ``run`` raises, why.

    Where a group of images fails, each half of it is tried again, down to single images.

    Args:
        run: from positions of images to one result per image.
        images: positions of images.

    Raises:
        RuntimeError: the device's own error where the device is broken, because nothing after it can be believed.
    """
    if not images:
        return {}, {}
    try:
        return dict(zip(images, run(images), strict=True)), {}
    except Exception as error:
        if broken_device(error):
            raise
        reason = said(error)
    if len(images) == 1:
        return {}, {images[0]: reason}
    half = len(images) // 2
    (first, why), (second, too) = (isolated(run, part) for part in (images[:half], images[half:]))
    return first | second, why | too


def said(error: BaseException) -> str:
    """Return an error as a reason: its class and its message."""
    return f"{type(error).__name__}: {error}"


def broken_device(error: BaseException) -> bool:
    """Return whether an error means that the device's context is broken, after which every call fails or lies."""
    text = str(error).lower()
    out_of_memory = isinstance(error, torch.OutOfMemoryError) or "out of memory" in text
    return not out_of_memory and any(words in text for words in BROKEN_DEVICE)


def one_reason(results: dict[int, T], reasons: dict[int, str]) -> str:
    """Return the reason why every image failed, if it is one and the same; else ``""``."""
    return next(iter(reasons.values())) if not results and len(set(reasons.values())) == 1 else ""

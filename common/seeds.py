"""One random generator per image, which depends on the image's pixels and a seed, but not on the batch."""

import hashlib

import torch
from torch import Tensor

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

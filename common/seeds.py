"""Randomness that depends on what is explained, never on when: one generator per image, whatever its batch."""

import hashlib

import torch
from torch import Tensor


def image_seed(image: Tensor, seed: int, purpose: str = "") -> int:
    """Return a seed from the image's pixels and the run's seed, the same on every device and in every batch.

    Args:
        image: (3, H, W).
        seed: the run's or the option's, of 8 bytes with a sign.
        purpose: what is drawn; draws of different purposes are independent. Methods draw with ``""``.
    """
    pixels = image.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
    digest = hashlib.sha256(purpose.encode() + seed.to_bytes(8, "little", signed=True) + pixels).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def image_generator(image: Tensor, seed: int, purpose: str = "") -> torch.Generator:
    """Return a CPU generator for this image; draw on the CPU and move, so that devices agree."""
    return torch.Generator().manual_seed(image_seed(image, seed, purpose))

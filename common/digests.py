"""Digests of plain values and of tensors."""

import hashlib
import json

import torch
from torch import Tensor


def digest_json(value: object) -> str:
    """Return the SHA-256 of the canonical JSON (sorted keys, no spaces) of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest_tensor(tensor: Tensor) -> str:
    """Return the SHA-256 of a tensor's type, shape and values, the same on every device and in every memory layout."""
    values = tensor.detach().cpu().contiguous()
    content = values.reshape(-1).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{values.dtype} {tuple(values.shape)} ".encode() + content).hexdigest()

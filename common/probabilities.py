"""The target's logit and probability, in float32 or better whatever the model's precision."""

import torch
from torch import Tensor, nn


def full_precision(values: Tensor) -> Tensor:
    """Return half-precision values as float32, so that sums over them are not rounded to half precision."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def class_probabilities(logits: Tensor) -> Tensor:
    """Return softmax(logits) over the classes, (N, classes), in float32 or better."""
    return full_precision(logits).softmax(dim=1)


def target_probabilities(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return softmax(model(images))[n, targets[n]], (N,), in float32 or better.

    Call it inside :func:`~heatmark.common.model_state.observing`. Targets are not checked, because this would copy them
    to the host in every pass; :func:`target_logits` checks them once.
    """
    return class_probabilities(model(images)).gather(1, targets.long()[:, None])[:, 0]


def target_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """Return logits[n, targets[n]], (N,); the logits may also be probabilities.

    Raises:
        ValueError: if the shapes do not match, a target is no class of the model, or the targets are no integers.
    """
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise ValueError(f"targets of {targets.dtype}, expected whole numbers, such as torch.int64")
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise ValueError(
            f"expected logits (N, classes) and targets (N,), got {tuple(logits.shape)} and {tuple(targets.shape)}"
        )
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < logits.shape[1]:
        raise ValueError(
            f"targets from {int(targets.min())} to {int(targets.max())}, but the model has {logits.shape[1]} classes"
        )
    return logits.gather(1, targets.long()[:, None])[:, 0]

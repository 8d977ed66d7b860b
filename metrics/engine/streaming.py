"""Pictures that are made one after the other, and scored in full batches as they come."""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.target_scores import TargetScore

VERSION = 1
"""Raised by whoever changes a score."""


def one_pass(batch: Explained, pictures: Sequence[Tensor], owners: Sequence[int], score: TargetScore) -> Tensor:
    """Return the target's score of at most ``batch.batch_size`` pictures, (M,), in one full forward pass.

    Args:
        batch: model, targets and batch size.
        pictures: M pictures (C, H, W), as the model expects them.
        owners: the image to which each belongs, whose target is scored.
        score: from the logits.
    """
    targets = batch.targets[list(owners)]
    whole = (padded(each, batch.batch_size) for each in (torch.stack(list(pictures)), targets))
    given, asked = whole
    with torch.no_grad():
        return score(batch.model(given), asked)[: len(targets)]

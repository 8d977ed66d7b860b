"""Scores of a target: one number per image, from the model's logits."""

from collections.abc import Callable

import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.common.probabilities import class_probabilities, full_precision

VERSION = 1
"""Raised by whoever changes a score: outdates the curves of perturbed images."""

TargetScore = Callable[[Tensor, Tensor], Tensor]
"""(logits (N, classes), targets (N,)) -> scores (N,), in float32 or better."""


def probability(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the softmax probability of the target, (N,), in [0, 1]."""
    return _of_target(class_probabilities(logits), targets)


def logit(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the target's logit z_t, (N,), any real number."""
    return _of_target(full_precision(logits), targets)


def log_odds(logits: Tensor, targets: Tensor) -> Tensor:
    """Return log p_t / (1 − p_t) = z_t − log Σ_{c ≠ t} exp z_c, (N,), any real number, also where p_t rounds to 1."""
    z = full_precision(logits)
    others = z.scatter(1, targets.long()[:, None], -torch.inf)
    return _of_target(z, targets) - others.logsumexp(dim=1)


def accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return 1 where the target is the class of the largest logit, the first of equal ones, else 0; NaN for NaN."""
    z = full_precision(logits)
    hit = (z.argmax(dim=1) == targets).to(z.dtype)
    return hit.masked_fill(z.isnan().any(dim=1), torch.nan)


def _of_target(values: Tensor, targets: Tensor) -> Tensor:
    return values.gather(1, targets.long()[:, None])[:, 0]


SCORES: dict[str, TargetScore] = {
    "probability": probability,
    "logit": logit,
    "log_odds": log_odds,
    "accuracy": accuracy,
}


def find_score(name: str) -> TargetScore:
    """Return the score with this name.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    return look_up("score", name, SCORES)

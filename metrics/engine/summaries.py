"""Sums over a curve: one number per image, from the curve alone."""

from collections.abc import Callable

import torch
from torch import Tensor

from heatmark.metrics.base import Curve, Scores
from heatmark.metrics.engine.per_image import reasons_of

NO_ORDER = "the map contains NaN, which has no order"
NAN_POINT = "the model's score is NaN at a point of the curve"
INFINITE_POINT = "the model's score is infinite at a point of the curve"

VERSION = 2
"""Raised by whoever changes a sum: outdates the scores that sum up curves, and no curve."""


def area(curve: Curve) -> Tensor:
    """Return the area under each curve, (N,): ∫ y dx by the trapezoidal rule over the true x."""
    return torch.trapezoid(curve.y, curve.x, dim=1)


def mean_of_points(curve: Curve) -> Tensor:
    """Return the mean of each curve's points, (N,): Σ y / K, whatever their x."""
    return curve.y.mean(dim=1)


def per_interval(curve: Curve) -> Tensor:
    """Return (Σ y − (first + last) / 2) / (K − 1), (N,): the trapezoidal rule with dx = 1 / (K − 1)."""
    return torch.trapezoid(curve.y, dim=1) / (curve.y.shape[1] - 1)


def per_point(curve: Curve) -> Tensor:
    """Return (Σ y − (first + last) / 2) / K, (N,): the trapezoidal rule with dx = 1 / K, for K points."""
    return torch.trapezoid(curve.y, dim=1) / curve.y.shape[1]


def unit_steps(curve: Curve) -> Tensor:
    """Return Σ y − (first + last) / 2, (N,): the trapezoidal rule with dx = 1, for K points up to K − 1 times y."""
    return torch.trapezoid(curve.y, dim=1)


def summed(curve: Curve, values: Tensor, *faults: tuple[Tensor, str]) -> Scores:
    """Return sums over curves as scores; NaN, with the reason, where a point is NaN or infinite.

    Args:
        curve: the curves.
        values: their sums, (N,).
        faults: further reasons for having no value: (N,) booleans, whether it holds, and the reason.
    """
    unknown, infinite = curve.y.isnan(), curve.y.isinf().any(dim=1)
    points = [(unknown.all(dim=1), NO_ORDER), (unknown.any(dim=1), NAN_POINT), (infinite, INFINITE_POINT)]
    reasons = reasons_of([*points, *faults])
    undefined = torch.tensor([bool(why) for why in reasons], dtype=torch.bool, device=values.device)
    return Scores(values.masked_fill(undefined, torch.nan), reasons)


RULES: dict[str, Callable[[Curve], Tensor]] = {
    "trapezoid": area,
    "mean": mean_of_points,
    "per_interval": per_interval,
    "per_point": per_point,
    "unit_steps": unit_steps,
}
"""Rules of summing up, by name."""

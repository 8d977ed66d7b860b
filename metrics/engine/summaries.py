"""Sums over a curve: one number per image, from the curve alone."""

from collections.abc import Callable

import torch
from torch import Tensor

from heatmark.metrics.base import Curve

NO_ORDER = "the map contains NaN, which has no order"
NAN_POINT = "the model's score is NaN at a point of the curve"

VERSION = 1
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


def undefined_points(curve: Curve) -> list[str]:
    """Return why each curve has a NaN, ``""`` where it has none."""
    unknown = curve.y.isnan()
    lost = zip(unknown.all(dim=1).tolist(), unknown.any(dim=1).tolist(), strict=True)
    return [NO_ORDER if every else NAN_POINT if some else "" for every, some in lost]


RULES: dict[str, Callable[[Curve], Tensor]] = {
    "trapezoid": area,
    "mean": mean_of_points,
    "per_interval": per_interval,
    "per_point": per_point,
    "unit_steps": unit_steps,
}
"""Rules of summing up, by name."""

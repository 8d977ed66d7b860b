"""Comparison of two implementations stage by stage: the first stage that differs, and by how much."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.methods.engine.stages import STAGES, Stages

Tolerances = Mapping[str, float]
"""Stage to the largest relative difference that counts as rounding; see :func:`tolerances`."""


@dataclass(frozen=True)
class Difference:
    """The difference of two implementations at one stage.

    Args:
        stage: the first one beyond its tolerance; where there is none, the last one compared, ``""`` if none was.
        max_abs: max |a − b|.
        relative: max |a − b| / max |b|, the largest of all images.
        pearson: the smallest correlation r of all images.
        tolerance: of ``relative``.
        agrees: whether ``relative`` is within it.

    NaN equals NaN in the same place. What cannot be compared (a NaN against a number, or other shapes)
    differs by NaN.
    """

    stage: str
    max_abs: float = math.nan
    relative: float = math.nan
    pearson: float = math.nan
    tolerance: float = math.nan
    agrees: bool = True


def tolerances(dtype: torch.dtype) -> dict[str, float]:
    """Return how much rounding may move each stage, relative to its largest value, in this precision.

    100 ε, with ε the precision's, is 1.2e-5 in float32. Measured on two layers of each of eight of torchvision's
    networks, implementations that agree do so to 0 at activations and gradients (the same operations), 2e-6 at weights,
    1e-6 at the raw map and 2e-6 when normalised: sums of hundreds of channels in another order. The two last stages are
    single precision in every library.
    """
    eps = torch.finfo(dtype).eps
    shown = max(eps, torch.finfo(torch.float32).eps)
    return {stage: 100 * (shown if stage in ("resized", "normalised") else eps) for stage in STAGES}


def compare(ours: Stages, theirs: Stages, tolerance: Tolerances) -> Difference:
    """Return the first stage at which the two differ beyond tolerance, of those that both have."""
    found = Difference("")
    for stage in STAGES:
        a, b = getattr(ours, stage), getattr(theirs, stage)
        if a is None or b is None:
            continue
        found = difference(stage, a, b, tolerance[stage])
        if not found.agrees:
            return found
    return found


def difference(stage: str, a: Tensor, b: Tensor, tolerance: float) -> Difference:
    """Return the difference of a from b, both (N, …), at a stage."""
    if a.shape != b.shape:
        return Difference(stage, tolerance=tolerance, agrees=False)
    a, b = _flat(a), _flat(b)
    same = (a == b) | (a.isnan() & b.isnan())
    gaps = torch.where(same, 0.0, (a - b).abs())
    sizes = torch.where(b.isfinite(), b.abs(), 0.0).amax(dim=1)
    relative = torch.where(gaps.amax(dim=1) == 0, 0.0, gaps.amax(dim=1) / sizes)
    worst = float(relative.max())
    return Difference(stage, float(gaps.max()), worst, pearson(a, b), tolerance, worst <= tolerance)


def pearson(a: Tensor, b: Tensor) -> float:
    """Return the smallest Pearson correlation of a[n] with b[n], over images where both vary; NaN without any."""
    a, b = _flat(a), _flat(b)
    a, b = a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True)
    r = (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))
    r = r[r.isfinite()]
    return float(r.min().clamp(-1, 1)) if len(r) else math.nan


def _flat(tensor: Tensor) -> Tensor:
    """Return (N, …) as (N, values) on the CPU, in float64, in which a difference is exact."""
    return tensor.detach().cpu().double().flatten(1)

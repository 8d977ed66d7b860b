"""How alike two maps are."""

import torch
from torch import Tensor

VERSION = 1
"""Raised by whoever changes a similarity or a rank."""

NAN = "a map contains NaN"
CONSTANT = "a map is constant, so that its pixels have no order"


def mean_ranks(values: Tensor) -> Tensor:
    """Return the rank of each value (P,), from 1, float64; equal values share their mean rank."""
    ordered, order = (values + 0).sort(stable=True)  # +0 makes −0 into 0
    _, group, counts = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = torch.empty(len(values), dtype=torch.float64)
    ranks[order.cpu()] = (last - (counts - 1) / 2)[group].cpu()
    return ranks


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Return the rank correlation of each pair of maps (N, H, W), (N,) float64; NaN for a constant map or one with NaN.

    ρ = Pearson(ranks of one, ranks of the other), equal values at their mean rank.
    """
    return torch.stack([_correlation(*pair) for pair in zip(one.flatten(1), other.flatten(1), strict=True)])


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    if one.isnan().any() or other.isnan().any():
        return torch.tensor(torch.nan, dtype=torch.float64)
    x, y = (mean_ranks(each) for each in (one, other))
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()  # 0 / 0 for a constant map


def reasons(one: Tensor, other: Tensor) -> list[str]:
    """Return why two maps (N, H, W) have no similarity, ``""`` where they have one."""
    flat = [each.flatten(1) for each in (one, other)]
    nan = (flat[0].isnan() | flat[1].isnan()).any(dim=1).tolist()
    constant = [(each.amax(dim=1) == each.amin(dim=1)).tolist() for each in flat]
    return [NAN if bad else CONSTANT if a or b else "" for bad, a, b in zip(nan, *constant, strict=True)]

"""Kendall's coefficient of concordance W and its permutation test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from heatmark.benchmarks.statistics.defined import Floats, tied
from heatmark.benchmarks.statistics.groups import group_sums

EXACT = 50_000
"""Up to this number, all permutations are enumerated."""
DRAWN = 9_999
"""Number of permutations that are drawn where there are more."""


@dataclass(frozen=True)
class KendallW:
    """Kendall's coefficient of concordance of judges who order methods.

    Args:
        w: 0 (no agreement) to 1 (one order); NaN with fewer than two judges or methods, or all tied.
        p_value: of the permutation test; NaN with fewer than two independent judges.
        p_error: its standard error, 0 where all permutations were enumerated.
        permutations: how many were enumerated or drawn.
        n_judges: how many judges took part.
        n_independent: how many of them, taken in groups, are independent of one another.
        n_methods: how many methods took part.
        left_out: methods that some judge has no score of.
    """

    w: float
    p_value: float
    p_error: float
    permutations: int
    n_judges: int
    n_independent: int
    n_methods: int
    left_out: tuple[str, ...]


def kendall_w(scores: pd.DataFrame, dependent: Sequence[str] | None = None, seed: int = 0) -> KendallW:
    """Return Kendall's W of (judges × methods), higher is better, corrected for ties, and its permutation test.

    ``W = 12 Σ(Rᵢ − R̄)² / (m²(k³ − k) − m ΣTⱼ)``, Rᵢ the rank sums of the k methods over m judges and
    ``Tⱼ = Σ(t³ − t)`` over judge j's groups of t tied methods. Kendall and Babington Smith, "The problem of m
    rankings", Annals of Mathematical Statistics 10 (1939). The p-value is the share of all permutations of the methods
    that agree at least as well; where they are too many, ``(1 + b)/(1 + B)`` of B drawn ones (Phipson and Smyth,
    "Permutation p-values should never be zero", SAGMB 9, 2010). The usual ``χ² = m(k − 1)W`` is asymptotic and far off
    for few judges: two of six methods that agree have p = 1/720, by χ² .075.

    Args:
        scores: (judges × methods); methods that some judge has no score of are left out.
        dependent: a name for every judge: judges of one name are not independent, and are permuted together. None:
            all are independent.
        seed: of the drawn permutations.
    """
    whole = scores.dropna(axis="columns")
    left_out = tuple(str(name) for name in scores.columns.difference(whole.columns))
    m, k = whole.shape
    # judges differ in unit, so that each has its own tolerance for rounding
    values = np.concatenate([tied(row[None]) for row in whole.to_numpy(dtype=np.float64)]) if m else np.empty((m, k))
    ranks = stats.rankdata(-values, axis=1) if whole.size else values
    clusters = pd.factorize(np.asarray(range(m) if dependent is None else dependent))[0]
    n = len(set(clusters.tolist()))
    ties = sum(int((t**3 - t).sum()) for t in (np.unique(row, return_counts=True)[1] for row in ranks))
    most = m**2 * (k**3 - k) - m * ties
    if m < 2 or k < 2 or most == 0:
        return KendallW(np.nan, np.nan, np.nan, 0, m, n, k, left_out)
    w = float(12 * _spread(ranks.sum(axis=0)) / most)
    found = _permutation_test(group_sums(ranks, clusters), seed) if n > 1 else (np.nan, np.nan, 0)
    return KendallW(w, *found, m, n, k, left_out)


def _spread(rank_sums: Floats) -> Floats:
    """Return Σ(Rᵢ − R̄)² along the last axis."""
    spread: Floats = ((rank_sums - rank_sums.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return spread


def _permutation_test(sums: Floats, seed: int) -> tuple[float, float, int]:
    """Return p, its standard error and the number of permutations, for rank sums (clusters, methods).

    Only the orders of the clusters relative to one another count, so that the first one keeps its own.
    """
    clusters, k = sums.shape
    observed = float(_spread(sums.sum(axis=0))) - 1e-9
    count = math.factorial(k) ** (clusters - 1)
    if count <= EXACT:
        every = np.array(list(permutations(range(k))))
        arranged = reduce(_added, (row[every] for row in sums[1:]), sums[:1])
        return float((_spread(arranged) >= observed).mean()), 0.0, count
    rng = np.random.default_rng(seed)
    drawn = np.broadcast_to(sums[0], (DRAWN, k)) + sum(_shuffled(row, rng) for row in sums[1:])
    p = float((1 + np.count_nonzero(_spread(drawn) >= observed)) / (1 + DRAWN))
    return p, math.sqrt(p * (1 - p) / (1 + DRAWN)), DRAWN


def _added(first: Floats, second: Floats) -> Floats:
    """Return all sums of a row of the first (n, k) and a row of the second (m, k), (nm, k)."""
    return (first[:, None] + second).reshape(-1, first.shape[1])


def _shuffled(row: Floats, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.permuted(np.broadcast_to(row, (DRAWN, len(row))), axis=1)

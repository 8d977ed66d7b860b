"""Friedman's test, Nemenyi's comparisons of mean ranks, and critical differences."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from heatmark.benchmarks.statistics.comparisons import FACTS, comparisons
from heatmark.benchmarks.statistics.defined import Floats, Mask, tied
from heatmark.benchmarks.statistics.paired import holm
from heatmark.benchmarks.statistics.ranks import common

COLUMNS = [
    *FACTS, "n_methods", "n_blocks", "unit", "dropped", "statistic", "p_value", "p_holm_family", "n_family",
    "hypothesis", "alpha", "critical_difference", "left_out",
]  # fmt: skip
HYPOTHESES = {
    "images": "on an image every order of the methods is equally likely",
    "groups": "on a group of images every order of the methods' mean scores is equally likely",
}
"""The null hypothesis of Friedman's test, by the unit of a comparison."""


@dataclass(frozen=True, eq=False)
class CriticalDifference:
    """The numbers that a critical-difference diagram shows, with methods from the best to the worst.

    Args:
        mean_ranks: by label, ascending; 1 is the best on every block.
        n_blocks: images (or other blocks) on which all methods have a score.
        dropped: blocks left out because a method has none there.
        alpha: family-wise significance level of the comparisons.
        statistic, p_value: Friedman's χ² (tie-corrected) and its p-value; NaN for two methods.
        difference: mean ranks that differ by more are significantly different at ``alpha``.
        p_values: of Nemenyi's test, label × label, 1 on the diagonal.
        groups: the bars of the diagram: maximal runs of two or more methods without a significant difference.
        left_out: methods without any score, which do not compete.
    """

    mean_ranks: pd.Series
    n_blocks: int
    dropped: int
    alpha: float
    statistic: float
    p_value: float
    difference: float
    p_values: pd.DataFrame
    groups: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]


def critical_difference(scores: pd.DataFrame, alpha: float = 0.05) -> CriticalDifference:
    """Return the mean ranks of methods over blocks, and which of them differ significantly.

    ``CD = q_α √(k(k+1) / 6N)``, ``q_α`` the studentised range statistic of k groups and infinite degrees of freedom
    over √2. Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006), section 3.2.2.
    The distribution is SciPy's; the tests compare the p-values with those of scikit-posthocs.

    Args:
        scores: (blocks × methods), higher is better, such as :attr:`Comparison.blocks`; methods without any score are
            left out, then blocks with a NaN are dropped. Scores that only rounding tells apart are ties.
        alpha: family-wise significance level.

    Raises:
        ValueError: with fewer than two methods or two blocks without NaN.
    """
    ranked, blocks = _blocks(scores)
    n, k = blocks.shape
    if n < 2 or k < 2:
        raise ValueError(f"{k} methods with {n} blocks on which all are defined: expected two or more of both")
    ranks = stats.rankdata(-blocks, axis=1).mean(axis=0)
    order = np.argsort(ranks, kind="stable")
    ranks, labels = ranks[order], scores.columns[ranked][order]
    unit = np.sqrt(k * (k + 1) / (6 * n))
    difference = float(stats.studentized_range.ppf(1 - alpha, k, np.inf) / np.sqrt(2) * unit)
    gaps = np.abs(ranks[:, None] - ranks)
    p_values = stats.studentized_range.sf(gaps / unit * np.sqrt(2), k, np.inf)
    statistic, p_value = _friedman(blocks)
    return CriticalDifference(
        mean_ranks=pd.Series(ranks, index=labels, name="mean_rank"),
        n_blocks=n,
        dropped=len(scores) - n,
        alpha=alpha,
        statistic=statistic,
        p_value=p_value,
        difference=difference,
        p_values=pd.DataFrame(p_values, index=labels, columns=labels),
        groups=tuple(tuple(str(label) for label in labels[run]) for run in cliques(ranks, difference)),
        left_out=tuple(str(label) for label in scores.columns[~ranked]),
    )


def comparable(scores: pd.DataFrame) -> bool:
    """Say whether two or more methods have scores on two or more blocks."""
    n, k = _blocks(scores)[1].shape
    return bool(n >= 2 and k >= 2)


def _blocks(scores: pd.DataFrame) -> tuple[Mask, Floats]:
    """Return which methods have any score, and their scores on the blocks where all of them have one."""
    values = scores.to_numpy(dtype=np.float64)
    ranked, rows = common(values)
    return ranked, tied(values[rows][:, ranked])


def friedman(results: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Return one row per comparison in which two or more methods have two or more images in common.

    Args:
        results: the results table.
        alpha: significance level of the critical difference.

    Returns:
        The comparison's facts; ``n_methods`` that compete; ``n_blocks`` images (or groups of them, as ``unit`` says) on
        which all are defined, ``dropped`` others; Friedman's ``statistic`` and ``p_value`` (NaN for two methods) of the
        null ``hypothesis``; ``p_holm_family``, Holm's over the ``n_family`` tests of this table;
        ``critical_difference`` of mean ranks at ``alpha``, not corrected for several comparisons; ``left_out``, the
        methods that are undefined on every image (names joined by commas).
    """
    rows = []
    for comparison in comparisons(results):
        if not comparable(comparison.blocks):
            continue
        found = critical_difference(comparison.blocks, alpha)
        numbers = {name: getattr(found, name) for name in ("n_blocks", "dropped", "statistic", "p_value", "alpha")}
        own = {"n_methods": len(found.mean_ranks), "critical_difference": found.difference, "unit": comparison.unit}
        words = {"hypothesis": HYPOTHESES[comparison.unit], "left_out": ", ".join(found.left_out)}
        rows.append({**comparison.facts, **numbers, **own, **words})
    table = pd.DataFrame(rows, columns=COLUMNS)
    p_values = table["p_value"].to_numpy(dtype=np.float64)
    return table.assign(p_holm_family=holm(p_values), n_family=np.count_nonzero(~np.isnan(p_values)))


def cliques(ranks: Floats, difference: float) -> list[slice]:
    """Return the maximal runs of two or more of the ascending ranks (k,) that span no more than the difference."""
    ends = np.searchsorted(ranks, ranks + difference, side="right")
    before = np.concatenate([[0], ends[:-1]])
    return [slice(i, int(end)) for i, end in enumerate(ends) if end > before[i] and end - i > 1]


def _friedman(blocks: Floats) -> tuple[float, float]:
    if blocks.shape[1] < 3 or (np.ptp(blocks, axis=1) == 0).all():
        return np.nan, np.nan
    result = stats.friedmanchisquare(*blocks.T)
    return float(result.statistic), float(result.pvalue)

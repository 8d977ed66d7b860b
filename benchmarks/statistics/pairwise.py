"""Pairwise tests of methods, every two or all against a control, paired by image and explained class."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd

from heatmark.benchmarks.statistics.comparisons import Comparison, comparisons
from heatmark.benchmarks.statistics.defined import Floats, columnwise, means, tolerance
from heatmark.benchmarks.statistics.effects import cohen_dz, rank_biserial
from heatmark.benchmarks.statistics.groups import group_counts, group_means
from heatmark.benchmarks.statistics.intervals import bca, bca_of_groups
from heatmark.benchmarks.statistics.paired import HYPOTHESES, holm, wilcoxon
from heatmark.common.names import did_you_mean

SIDE = ["cell", "label", "layer", "method"]
COLUMNS = [
    "model", "weights", "dataset", "target_rule", "metric", "method_a", "layer_a", "method_b", "layer_b",
    "difference", "ci_low", "ci_high", "p_value", "p_holm", "n_pairs", "p_holm_family", "n_family", "n", "n_groups",
    "unit", "undefined", "flagged", "hypothesis",
    "d_z", "d_z_low", "d_z_high", "rank_biserial", "rank_biserial_low", "rank_biserial_high", "label_a", "label_b",
    "definition", "device", "precision", "cell_a", "cell_b", "weights_digest", "images_digest",
]  # fmt: skip
"""What is read at first, then its details; ids and digests last."""


def pairwise(
    results: pd.DataFrame,
    control: str = "",
    test: Callable[[Floats], Floats] = wilcoxon,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return one row per pair of competing methods of every comparison; descriptive metrics are not tested.

    Args:
        results: the results table.
        control: name of a method; only pairs with it at one layer are tested, and it is b. ``""`` tests all pairs.
        test: paired differences (n, m) → p-values (m,).
        confidence: nominal coverage of the intervals.

    Returns:
        The comparison's facts; ``cell, label, layer, method`` of both, with ``_a`` and ``_b``; ``n`` images on which
        both are defined, of ``n_groups`` groups, ``undefined`` others; ``flagged``, on which the map of either is
        degenerate. Differences that are only rounding count as 0. Positive means that a is better, whatever the
        metric's direction: ``difference`` of the means, in the metric's unit, ``ci_low, ci_high`` (BCa); the null
        ``hypothesis`` with ``p_value``, ``p_holm`` (Holm's, over the comparison's ``n_pairs``) and ``p_holm_family``
        (Holm's, over the ``n_family`` tests of this table: all metrics, models and layers); ``d_z`` with ``_low``,
        ``_high`` (BCa); ``rank_biserial`` with ``_low``, ``_high``. Where ``unit`` is ``groups``, intervals resample
        groups, and tests and effect sizes are of the groups' mean differences.

    Raises:
        ValueError: where no comparison has the control.
    """
    require(results, control)
    everyone = [comparison for comparison in comparisons(results) if comparison.higher_is_better is not None]
    tables = [
        _table(comparison, pairs, test, confidence) for comparison in everyone if (pairs := _pairs(comparison, control))
    ]
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(tables, ignore_index=True)
    p_values = table["p_value"].to_numpy(dtype=np.float64)
    table = table.assign(p_holm_family=holm(p_values), n_family=np.count_nonzero(~np.isnan(p_values)))
    return table[COLUMNS]


def require(results: pd.DataFrame, control: str) -> None:
    """Check that a control method, where one is named, has scores.

    Raises:
        ValueError: where no scored row is of this method; it names the nearest ones.
    """
    known = sorted(set(results.loc[results["metric"] != "", "method"]))
    if control and control not in known:
        hint = did_you_mean(control, known, f"expected one of {', '.join(known)}")
        raise ValueError(f"no method {control!r} to compare with: {hint}")


def _pairs(comparison: Comparison, control: str) -> list[tuple[int, int]]:
    """Return pairs of positions among the competing methods; where the control repeats another method, that one's."""
    cells, layers = list(comparison.competing.index), list(comparison.competing["layer"])
    if not control:
        return list(combinations(range(len(cells)), 2))
    named = comparison.methods[comparison.methods["method"] == control]
    controls = {cells.index(original or cell) for cell, original in named["same_as"].items()}
    others = [position for position in range(len(cells)) if position not in controls]
    return [
        (a, b) for b in sorted(controls) for a in others if layers[a] == layers[b] or "input" in (layers[a], layers[b])
    ]


def _table(
    comparison: Comparison, pairs: list[tuple[int, int]], test: Callable[[Floats], Floats], confidence: float
) -> pd.DataFrame:
    scores, competing = comparison.scores.to_numpy(dtype=np.float64), comparison.competing.reset_index()
    a, b = np.array(pairs).T
    differences = _rounded(scores[:, a] - scores[:, b], tolerance(scores))
    sides = [competing.loc[side, SIDE].reset_index(drop=True).add_suffix(end) for side, end in ((a, "_a"), (b, "_b"))]
    undefined = np.isnan(differences).sum(axis=0)
    of_units = _rounded(group_means(differences, comparison.groups), tolerance(scores))  # of one group they may cancel
    flags = comparison.flags[comparison.competing.index].to_numpy()
    p_values = test(of_units)
    numbers = {
        "n": len(differences) - undefined,
        "n_groups": group_counts(differences, comparison.groups),
        "unit": comparison.unit,
        "undefined": undefined,
        "flagged": (flags[:, a] | flags[:, b]).sum(axis=0),
        "hypothesis": HYPOTHESES.get(test, "") + (" (of groups' means)" if comparison.unit == "groups" else ""),
        "difference": means(differences),
        "p_value": p_values,
        "p_holm": holm(p_values),
        "n_pairs": len(pairs),
        "d_z": columnwise(of_units, _dz, rows=1)[0],
    }
    intervals = {
        ("ci_low", "ci_high"): bca_of_groups(differences, comparison.groups, comparison.seed, confidence),
        ("d_z_low", "d_z_high"): bca(of_units, comparison.seed, cohen_dz, confidence),
        ("rank_biserial", "rank_biserial_low", "rank_biserial_high"): rank_biserial(of_units, confidence),
    }
    for names, rows in intervals.items():
        numbers |= dict(zip(names, rows, strict=True))
    table: pd.DataFrame = pd.concat([*sides, pd.DataFrame(numbers)], axis="columns").assign(**comparison.facts)
    return table


def _rounded(differences: Floats, limit: float) -> Floats:
    """Return differences, those of at most the limit set to zero; NaN stays NaN."""
    return np.where(np.abs(differences) <= limit, 0.0, differences)


def _dz(defined: Floats) -> Floats:
    """Return d_z as a row, NaN where it is undefined."""
    ratio = cohen_dz(defined) if len(defined) > 1 else np.full(defined.shape[1], np.nan)
    return np.where(np.isfinite(ratio), ratio, np.nan)[None]

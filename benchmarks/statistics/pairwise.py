"""Every two methods against each other, or all against a control, paired by image and explained class."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd

from benchmarks.hints import did_you_mean
from benchmarks.statistics.boards import FACTS, Board, boards
from benchmarks.statistics.defined import Floats, columnwise, means, tolerance
from benchmarks.statistics.effects import cohen_dz, rank_biserial
from benchmarks.statistics.intervals import bca
from benchmarks.statistics.paired import holm, wilcoxon

SIDE = ["trial", "label", "layer", "method"]
COLUMNS = [
    *FACTS, *[f"{name}_{side}" for side in "ab" for name in SIDE], "n", "undefined",
    "difference", "ci_low", "ci_high", "p_value", "p_holm", "n_pairs",
    "d_z", "d_z_low", "d_z_high", "rank_biserial", "rank_biserial_low", "rank_biserial_high",
]  # fmt: skip


def pairwise(
    results: pd.DataFrame,
    control: str = "",
    test: Callable[[Floats], Floats] = wilcoxon,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return one row a pair of competitors of every board.

    Args:
        results: the results table.
        control: name of a method: only pairs with it, it being b; ``""``: all pairs.
        test: paired differences (n, m) → p-values (m,).
        confidence: nominal coverage of the intervals.

    Returns:
        The board's facts; ``trial, label, layer, method`` of both, with ``_a`` and ``_b``; ``n`` images on which both
        are defined, ``undefined`` others. Differences that are only rounding count as none. Positive means that a is
        better, whatever the metric's direction:
        ``difference`` of the means, in the metric's unit, ``ci_low, ci_high`` (BCa); ``p_value``, ``p_holm`` (Holm's,
        over the board's ``n_pairs``); ``d_z`` with ``_low, _high`` (BCa); ``rank_biserial`` with ``_low, _high``.

    Raises:
        ValueError: where no board has the control.
    """
    everyone = list(boards(results))
    known = sorted({str(name) for board in everyone for name in board.entrants["method"]})
    if control and control not in known:
        hint = did_you_mean(control, known, f"expected one of {', '.join(known)}")
        raise ValueError(f"no method {control!r} to compare with: {hint}")
    tables = [_table(board, pairs, test, confidence) for board in everyone if (pairs := _pairs(board, control))]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _pairs(board: Board, control: str) -> list[tuple[int, int]]:
    """Return positions among the competitors; another method may stand for the control."""
    trials = list(board.competitors.index)
    if not control:
        return list(combinations(range(len(trials)), 2))
    named = board.entrants[board.entrants["method"] == control]
    controls = {trials.index(stand or trial) for trial, stand in named["same_as"].items()}
    return [(a, b) for b in sorted(controls) for a in range(len(trials)) if a not in controls]


def _table(
    board: Board, pairs: list[tuple[int, int]], test: Callable[[Floats], Floats], confidence: float
) -> pd.DataFrame:
    scores, competitors = board.scores.to_numpy(dtype=np.float64), board.competitors.reset_index()
    a, b = np.array(pairs).T
    differences = _rounded(scores[:, a] - scores[:, b], tolerance(scores))
    sides = [competitors.loc[side, SIDE].reset_index(drop=True).add_suffix(end) for side, end in ((a, "_a"), (b, "_b"))]
    undefined = np.isnan(differences).sum(axis=0)
    p_values = test(differences)
    numbers = {
        "n": len(differences) - undefined,
        "undefined": undefined,
        "difference": means(differences),
        "p_value": p_values,
        "p_holm": holm(p_values),
        "n_pairs": len(pairs),
        "d_z": columnwise(differences, _dz, rows=1)[0],
    }
    intervals = {
        ("ci_low", "ci_high"): bca(differences, board.seed, confidence=confidence),
        ("d_z_low", "d_z_high"): bca(differences, board.seed, cohen_dz, confidence),
        ("rank_biserial", "rank_biserial_low", "rank_biserial_high"): rank_biserial(differences, confidence),
    }
    for names, rows in intervals.items():
        numbers |= dict(zip(names, rows, strict=True))
    table: pd.DataFrame = pd.concat([*sides, pd.DataFrame(numbers)], axis="columns").assign(**board.facts)
    return table[COLUMNS]


def _rounded(differences: Floats, least: float) -> Floats:
    """Return differences with those of no more than rounding set to zero; NaN stays NaN."""
    return np.where(np.abs(differences) <= least, 0.0, differences)


def _dz(defined: Floats) -> Floats:
    """Return d_z as a row, NaN where it is undefined."""
    ratio = cohen_dz(defined) if len(defined) > 1 else np.full(defined.shape[1], np.nan)
    return np.where(np.isfinite(ratio), ratio, np.nan)[None]

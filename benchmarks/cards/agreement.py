"""Agreement: whether metrics order the same maps alike, by Kendall's τ-b with a bootstrap interval over images."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from heatmark.benchmarks.cards.variants import FAILS, PASSES, Judged, Variant, Verdict, not_applicable, untestable
from heatmark.benchmarks.statistics.defined import Floats, tied
from heatmark.benchmarks.statistics.intervals import RESAMPLES

RANKED = ("truth", "real", "random", "inverted")
"""Kinds of maps whose order is compared."""
COLUMNS = ["metric", "other", "tau", "low", "high", "n_images", "n_maps"]


def agreements(metrics: Sequence[Judged]) -> pd.DataFrame:
    """Return Kendall's τ-b of the mean scores under every two metrics that rank, over the maps that both have scored.

    Returns:
        One row per ordered pair: ``metric, other, tau``, ``low, high`` (percentile bootstrap over the images that have
        all scores, 95 %), ``n_images, n_maps``; τ is NaN where a metric gives all maps one mean.
    """
    able = [judged for judged in metrics if not judged.descriptive and judged.methods]
    rows = []
    for position, first in enumerate(able):
        for second in able[position + 1 :]:
            found = tau(first, second)
            rows += [(first.metric, second.metric, *found), (second.metric, first.metric, *found)]
    return pd.DataFrame(rows, columns=COLUMNS)


def tau(first: Judged, second: Judged) -> tuple[float, float, float, int, int]:
    """Return τ-b, the ends of its interval, and the numbers of images and of maps."""
    shared = [v for v in first.values if v.kind in RANKED and first.has(v) and second.has(v)]
    scores = [np.stack([judged.oriented(v) for v in shared], axis=1) for judged in (first, second)]
    whole = ~np.isnan(np.concatenate(scores, axis=1)).any(axis=1)
    n = int(whole.sum())
    if n == 0 or len(shared) < 3:
        return float("nan"), float("nan"), float("nan"), n, len(shared)
    counts = np.random.default_rng(_seed(first, second)).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    weights = np.concatenate([np.ones((1, n)), counts]) / n
    drawn = _tau(*(_signs(weights @ each[whole]) for each in scores))
    value, others = float(drawn[0]), drawn[1:][~np.isnan(drawn[1:])]
    ends = np.quantile(others, [0.025, 0.975]) if n > 1 and len(others) and not np.isnan(value) else [np.nan] * 2
    return value, float(ends[0]), float(ends[1]), n, len(shared)


def _seed(first: Judged, second: Judged) -> int:
    """Return a seed of the two names, so that no other metric changes an interval."""
    names = "\n".join(sorted((first.metric, second.metric)))
    return int(hashlib.sha256(names.encode()).hexdigest()[:16], 16)


def _signs(means: Floats) -> Floats:
    """Return the order of every two columns of means (r, k), as −1, 0 or 1, (r, k(k − 1)/2)."""
    a, b = np.triu_indices(means.shape[1], 1)
    ordered = tied(means)
    signs: Floats = np.sign(ordered[:, a] - ordered[:, b])
    return signs


def _tau(first: Floats, second: Floats) -> Floats:
    """Return τ-b of each row of signs, (r,); NaN where one of the two has none."""
    sizes = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    value: Floats = np.divide((first * second).sum(axis=1), sizes, out=np.full(len(first), np.nan), where=sizes > 0)
    return value


def agreement(judged: Judged, table: pd.DataFrame) -> Verdict:
    """Return whether a metric agrees with half of the others or more: the interval of its τ lies above 0.

    The figure is the median τ. Half is our choice, and the verdict depends on which others are asked for.

    Args:
        judged: the metric's scores.
        table: of :func:`agreements`.
    """
    if (no := untestable(judged, "agreement", [Variant("real", method) for method in judged.methods])) is not None:
        return no
    rows = table[table["metric"] == judged.metric]
    if rows.empty:
        return not_applicable("agreement", "no other metric that ranks was asked for")
    agreeing = int((rows["low"] > 0).sum())
    median = float(rows["tau"].median())
    least = rows.sort_values("tau", na_position="first", kind="stable").iloc[0]
    worst = "; it ranks no map" if rows["tau"].isna().all() else f"; least τ = {least['tau']:+.2f}, {least['other']}"
    verdict = PASSES if 2 * agreeing >= len(rows) else FAILS
    because = f"it agrees with {agreeing} of {len(rows)} other metrics (median τ = {median:+.2f})"
    return Verdict(
        "agreement", verdict, f"with {agreeing} of {len(rows)}{worst}", median, "median τ-b",
        n=int(rows["n_images"].min()),
        details="; ".join(rows.apply(_said, axis="columns")),
        because=because if verdict == FAILS else "",
    )  # fmt: skip


def _said(row: "pd.Series[Any]") -> str:
    return f"{row['other']}: τ = {row['tau']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"

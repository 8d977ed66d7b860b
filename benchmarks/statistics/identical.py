"""Methods that are one method under two names on a model: found from their values."""

import numpy as np
import pandas as pd

from benchmarks.columns import SETTING
from benchmarks.statistics.defined import Floats

TOLERANCE, RARE_TOLERANCE = 1e-3, 0.05
"""Of a metric's mean magnitude: what nine images in ten may differ by, and what none may differ by more than.

Measured on sweeps of the shipped networks and of SqueezeNet on photographs: methods that are one differ by 1e-4 and
0.013 (where rounding puts pixels of nearly equal relevance into another step), others by 0.04 and 0.14 at the least.
"""


def same_as(scored: pd.DataFrame) -> dict[str, str]:
    """Return, for every trial that repeats another one, the trial that stands for both.

    Two trials of one model are the same where, metric by metric, nine images in ten differ by no more than a thousandth
    of the metric's mean magnitude and none by more than a twentieth: room for pixels that rounding puts in another
    order, and far less than two different maps leave. At least one metric must be able to tell maps apart: equal hits
    and misses prove nothing.

    Grad-CAM, HiResCAM and XGrad-CAM on a GAP + linear head are the classic case; a method and its peer in another
    library are another. The suite's own implementation stands for the others, then the first name in the alphabet.

    Args:
        scored: rows of the results table that carry a metric.

    Returns:
        Trial → the trial that stands for it; a trial that stands for itself is absent.
    """
    found: dict[str, str] = {}
    for _, rows in scored.groupby(SETTING):
        found |= _repeats(rows)
    return found


def _repeats(rows: pd.DataFrame) -> dict[str, str]:
    wide = rows.pivot(index="trial", columns=["definition", "image", "target"], values="value")
    first = rows.drop_duplicates("trial").assign(foreign=lambda frame: frame["implementation"] != "heatmark")
    order = first.sort_values(["foreign", "method", "layer", "trial"])["trial"]
    values, definitions = wide.loc[order].to_numpy(dtype=np.float64), wide.columns.get_level_values("definition")
    metrics = [np.asarray(definitions == name) for name in definitions.unique()]
    found: dict[str, str] = {}
    standing: list[int] = []
    for position, trial in enumerate(order):
        match = next((s for s in standing if same(values[s], values[position], metrics)), None)
        if match is None:
            standing.append(position)
        else:
            found[str(trial)] = str(order.iloc[match])
    return found


def same(first: Floats, second: Floats, metrics: list[np.ndarray[tuple[int], np.dtype[np.bool_]]]) -> bool:
    """Say whether two trials' values (k,) are those of one method; each metric is the mask (k,) of its columns."""
    if not np.array_equal(np.isnan(first), np.isnan(second)):
        return False
    telling = False
    for columns in metrics:
        a, b = (values[columns & ~np.isnan(first)] for values in (first, second))
        if len(a) and not _close(np.abs(a - b), float(np.abs(a).mean())):
            return False
        telling |= len(a) > 1 and 2 * len(np.unique(a)) > len(a)
    return telling


def _close(gaps: Floats, magnitude: float) -> bool:
    common = float(np.quantile(gaps, 0.9, method="higher"))
    return common <= TOLERANCE * magnitude and float(gaps.max()) <= RARE_TOLERANCE * magnitude

"""Gains over a control: by how much a method is better than random maps, paired by image and class explained."""

import numpy as np
import pandas as pd

from heatmark.benchmarks.statistics.comparisons import Comparison
from heatmark.benchmarks.statistics.defined import Floats, means
from heatmark.benchmarks.statistics.intervals import bca_of_groups
from heatmark.benchmarks.statistics.variants import plain

CONTROLS = ("random", "centre_prior", "edge_filter")
"""Methods whose maps do not depend on the model."""
CEILINGS = ("greedy_deletion", "greedy_insertion")
"""Methods that are searched on a metric: what it can be driven to, by maps that explain nothing."""
BESIDE = (*CONTROLS, *CEILINGS)
"""Methods with which others are compared, and which are no competitors themselves: they stand last in tables."""
CONTROL = CONTROLS[0]
"""The control over which gains are taken."""


def gains(comparison: Comparison, confidence: float = 0.95) -> pd.DataFrame:
    """Return each cell's mean gain over the control, ``g = ± mean(s − r)`` over pairs of scores of one image and class.

    The sign is that of the metric's direction, so that a positive gain is better; r is the mean of the control's cells.

    Args:
        comparison: the cells; without a cell of the control, or under a descriptive metric, there is no gain.
        confidence: nominal coverage of the intervals.

    Returns:
        By cell: ``gain, gain_low, gain_high`` (BCa, over groups of images) and ``n_gain``, the images where both scores
        are defined. NaN and 0 for the control itself.
    """
    differences = _differences(comparison)
    low, high = bca_of_groups(differences, comparison.groups, comparison.seed, confidence)
    n_gain = (~np.isnan(differences)).sum(axis=0)
    found = {"gain": means(differences), "gain_low": low, "gain_high": high, "n_gain": n_gain}
    return pd.DataFrame(found, index=comparison.methods.index)


def _differences(comparison: Comparison) -> Floats:
    """Return the gains (images, cells), NaN where undefined and for the control."""
    values = comparison.array()
    control = (comparison.methods["method"].map(plain) == CONTROL).to_numpy()
    random = means(values[:, control].T)
    gained: Floats = np.where(control, np.nan, comparison.direction * (values - random[:, None]))
    return gained

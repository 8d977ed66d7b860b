"""Invariances: by which changes of a map a metric's definition says that its score does not move."""

from collections.abc import Mapping

from heatmark.metrics.average_drop import AverageDrop
from heatmark.metrics.average_gain import AverageGain
from heatmark.metrics.average_increase import AverageIncrease
from heatmark.metrics.base import Derived, Metric, sums_up_curves
from heatmark.metrics.energy_inside import EnergyInside
from heatmark.metrics.engine.complexity import Complexity
from heatmark.metrics.engine.placement import Placement
from heatmark.metrics.engine.subset_correlation import SubsetCorrelation
from heatmark.metrics.sensitivity_n import SensitivityN

BOTH = frozenset({"scaled", "shifted"})
SCALED = frozenset({"scaled"})

TO_ONE = (AverageDrop, AverageIncrease, AverageGain)
"""Metrics that scale every map to [0, 1] first."""
SHARES = (EnergyInside, Complexity)
"""Metrics of each pixel's share of all relevance."""
CORRELATIONS = (SubsetCorrelation, SensitivityN)
"""Correlations with sums of relevance; a constant adds the number of pixels, which subsets need not share."""


def invariant(name: str, metrics: Mapping[str, Metric]) -> frozenset[str]:
    """Return by which of ``scaled`` and ``shifted`` a metric's definition says that its score stays.

    Curves follow the order of pixels, and so do metrics that sum them up and metrics of placement, but for those of
    relevance's shares; what is derived from others has what these have in common. Of a metric that is of no kind known
    here nothing is said.

    Args:
        name: the metric's.
        metrics: all metrics, by name.
    """
    metric = metrics[name]
    if isinstance(metric, Derived):
        return frozenset.intersection(BOTH, *(invariant(term, metrics) for term in metric.terms))
    if isinstance(metric, SHARES + CORRELATIONS):
        return SCALED
    return BOTH if sums_up_curves(metric) or isinstance(metric, (Placement, *TO_ONE)) else frozenset()

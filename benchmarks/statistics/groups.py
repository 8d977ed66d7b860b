"""Groups of images (of one patient, of one video): the independent units that are resampled and permuted."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heatmark.benchmarks.statistics.defined import Floats

Groups = NDArray[np.intp]
"""The number of every row's group, 0 to G − 1."""


def scored_on(rows: pd.DataFrame) -> "pd.Series[str]":
    """Return, by cell, the set of images with their groups and explained classes that it was scored on.

    Groups are part of it, because a run may hold cells that were scored before its label file had groups.
    """
    return (rows["image"] + "\0" + rows["group"] + "\0" + rows["target"]).groupby(rows["cell"]).agg(frozenset)


def group_codes(groups: "pd.Series[str]", images: "pd.Series[str]") -> Groups:
    """Return every row's group as a number, in order of appearance; an image without a group is one of its own."""
    codes: Groups = pd.factorize(groups.where(groups != "", "\0" + images))[0]
    return codes


def singletons(n: int) -> Groups:
    """Return the groups of n images, each of which is a group of its own."""
    return np.arange(n)


def group_sums(values: Floats, groups: Groups) -> Floats:
    """Return the sum of every group's rows (n, m) → (G, m); NaN where one is NaN."""
    sums = np.zeros((int(groups.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def group_means(values: Floats, groups: Groups) -> Floats:
    """Return the mean of every group's defined rows (n, m) → (G, m); NaN where a group has none."""
    sums = group_sums(np.nan_to_num(values, nan=0.0), groups)
    counts = group_sums((~np.isnan(values)).astype(np.float64), groups)
    means: Floats = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def group_counts(values: Floats, groups: Groups) -> NDArray[np.intp]:
    """Return in how many groups every column (n, m) has a defined row, (m,)."""
    counts: NDArray[np.intp] = (~np.isnan(group_means(values, groups))).sum(axis=0)
    return counts


def mean_and_error(values: Floats, groups: Groups) -> tuple[float, float, int]:
    """Return the mean of the defined values (n,), its standard error, and the number of their groups.

    ``se² = G/(G − 1) Σ_g (Σ_{i∈g} (xᵢ − x̄))² / n²``, the linearised error of a mean over whole groups (Cochran,
    *Sampling Techniques*, 1977, section 9A.2); ``s²/n`` where every image is a group of its own. NaN below two groups.
    """
    defined = ~np.isnan(values)
    if not defined.any():
        return np.nan, np.nan, 0
    chosen, codes = values[defined], np.unique(groups[defined], return_inverse=True)[1]
    mean, count = float(chosen.mean()), int(codes.max()) + 1
    if count < 2:
        return mean, np.nan, count
    residuals = group_sums(chosen[:, None] - mean, codes)
    return mean, float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / len(chosen)), count

"""Comparisons: the cells of a results table whose scores may be compared with one another."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.defined import Floats
from heatmark.benchmarks.statistics.digests import own_label
from heatmark.benchmarks.statistics.groups import Groups, group_codes, group_means, scored_on
from heatmark.benchmarks.statistics.ranks import common
from heatmark.benchmarks.statistics.replicates import averaged, spread

FACTS = [*SETTING, "metric", "definition"]
"""Columns that are equal in all rows of one comparison: rows that differ in any of them are never mixed."""

MOSTLY = 0.5
"""A method with a larger share of flagged maps is left out of the ranks that leave out flagged maps."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The cells of one model on the same images and classes, under one definition of one metric.

    Args:
        facts: the columns :data:`FACTS`.
        higher_is_better: whether a higher score of the metric is better; None for a descriptive metric, under which no
            method is better than another.
        values: (images × cells), rows by image and target, columns by cell; NaN where undefined.
        flags: (images × cells), whether the map is degenerate.
        groups: (images,) number of every image's group; an image without one is a group of its own.
        unit: what is independent, and so resampled: ``images``, or ``groups`` where any image has one.
        methods: one row per cell, in the order of the columns: ``layer, method, implementation, label, same_as,
            maps_compared, flagged`` (number of images whose map is degenerate), ``draws, draws_sd, draws_low,
            draws_high`` (:func:`.replicates.spread`). ``label`` is the method's name, with
            the layer and then the cell's key where the name is not unique; ``same_as`` is the cell whose maps it
            repeats, or ``""``; where ``maps_compared`` is False, repeats were not looked for.
    """

    facts: Mapping[str, str]
    higher_is_better: bool | None
    values: pd.DataFrame
    flags: pd.DataFrame
    groups: Groups
    unit: str
    methods: pd.DataFrame

    @property
    def seed(self) -> int:
        """The seed of all resampling in this comparison; it depends on :attr:`facts` alone, not on other rows."""
        facts = {name: own_label(value) for name, value in self.facts.items()}
        return int(hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16], 16)

    @property
    def competing(self) -> pd.DataFrame:
        """The methods that do not repeat another method's maps."""
        return self.methods[self.methods["same_as"] == ""]

    @property
    def direction(self) -> float:
        """1 where higher is better, −1 where lower is, NaN for a descriptive metric, so that no method has a rank."""
        return np.nan if self.higher_is_better is None else 1.0 if self.higher_is_better else -1.0

    @property
    def scores(self) -> pd.DataFrame:
        """The scores of the competing methods, negated where lower is better; columns by label."""
        chosen = self.competing
        turned = self.values[chosen.index] * self.direction
        return turned.set_axis(chosen["label"], axis="columns")

    @property
    def sound(self) -> pd.DataFrame:
        """The scores of the competing methods without flagged maps; all NaN for a method that is mostly flagged."""
        chosen = self.competing
        flags = self.flags[chosen.index].to_numpy()
        return self.scores.mask(flags | (flags.mean(axis=0) > MOSTLY))

    @property
    def blocks(self) -> pd.DataFrame:
        """The scores of the competing methods, one row per unit.

        A group's scores are means over those of its images on which all methods are defined.
        """
        if self.unit == "images":
            return self.scores
        scores = self.scores.to_numpy(dtype=np.float64)
        _, rows = common(scores)
        means = group_means(np.where(rows[:, None], scores, np.nan), self.groups)
        return pd.DataFrame(means, columns=self.scores.columns)

    def array(self) -> Floats:
        """Return the values of all methods, (images, cells)."""
        return self.values.to_numpy(dtype=np.float64)


def comparisons(results: pd.DataFrame) -> Iterator[Comparison]:
    """Yield the comparisons of a results table, in the order of their facts; skipped and failed cells belong to none.

    An image's number is the mean over its replicates (:func:`.replicates.averaged`), for everything that follows. Cells
    that were scored on different images, groups or classes belong to different comparisons.

    Args:
        results: the results table; its column ``map_of`` (:mod:`heatmark.benchmarks.tables.repeats`) says which
            cells have the same maps; without it no cell is taken for a repeat.
    """
    scored = results[results["metric"] != ""]
    if "map_of" not in scored:
        scored = scored.assign(map_of="")
    draws = spread(scored)
    for _, rows in averaged(scored).groupby(FACTS):
        for _, part in rows.groupby(rows["cell"].map(scored_on(rows)), sort=False):
            yield _comparison(part, draws)


def arrow(higher_is_better: object) -> str:
    """Return an arrow towards better values with a space before it; ``""`` for a descriptive metric."""
    return "" if pd.isna(higher_is_better) else " ↑" if higher_is_better else " ↓"  # type: ignore[call-overload]


def _comparison(part: pd.DataFrame, draws: pd.DataFrame) -> Comparison:
    methods = part.drop_duplicates("cell").set_index("cell")[["layer", "method", "implementation", "map_of"]]
    part = part.assign(flagged=part["status"] == "degenerate")
    values, flags = (
        part.pivot(index=["image", "target"], columns="cell", values=name)[methods.index]
        for name in ("value", "flagged")
    )
    groups = part.drop_duplicates("image").set_index("image")["group"]
    images = values.index.get_level_values("image").to_series(index=values.index)
    methods = methods.assign(
        label=_labels(methods),
        same_as=same_as(methods["map_of"]),
        maps_compared=methods["map_of"] != "",
        flagged=flags.sum(),
        **_drawn(methods.index, part, draws),
    ).drop(columns="map_of")
    return Comparison(
        {name: str(part[name].iloc[0]) for name in FACTS},
        None if pd.isna(better := part["higher_is_better"].iloc[0]) else bool(better),
        values,
        flags,
        group_codes(images.map(groups), images),
        "groups" if (groups != "").any() else "images",
        methods,
    )


def _drawn(cells: pd.Index, part: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Return the spread of each cell's draws under the metric of a comparison; one draw has none."""
    own = [(cell, part["metric"].iloc[0], part["definition"].iloc[0]) for cell in cells]
    found = draws.reindex(pd.MultiIndex.from_tuples(own, names=draws.index.names)).set_axis(cells).astype(float)
    return found.assign(draws=found["draws"].fillna(1).astype(int))


def same_as(map_of: "pd.Series[str]") -> "pd.Series[str]":
    """Return, by cell, the cell whose maps it repeats in one comparison, ``""`` where it repeats none.

    Where the cell that ``map_of`` names has no score in the comparison, the first cell with the same maps replaces it.
    """
    first = map_of.index.to_series().groupby(map_of).first()
    original = map_of.where(map_of.isin(map_of.index), map_of.map(first))
    return original.mask((map_of == "") | (original == map_of.index), "")


def _labels(methods: pd.DataFrame) -> pd.Series:
    labels = methods["method"]
    for detail in (" @ " + methods["layer"], " " + methods.index.to_series().str[:8]):
        labels = labels.mask(labels.duplicated(keep=False), labels + detail)
    return labels

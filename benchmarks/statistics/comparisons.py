"""A board: all that may be compared with one another, and nothing else."""

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

FACTS = [*SETTING, "metric", "definition"]
"""What the rows of one board share: values that differ in any of these are never mixed."""


MOSTLY = 0.5
"""A method whose maps are flagged on a larger share of the images ranks nothing on most of them."""


@dataclass(frozen=True, eq=False)
class Board:
    """One model's trials on the same images and classes, under one definition of one metric.

    Args:
        facts: the columns :data:`FACTS`.
        higher_is_better: of the metric.
        values: (images × trials), rows by image and target, columns by trial; NaN where undefined.
        flags: (images × trials), whether the map is degenerate.
        groups: (images,) number of every image's group; an image without one is a group of its own.
        unit: what is drawn independently, ``images``, or ``groups`` where any image has one.
        entrants: one row a trial, in the order of the columns: ``layer, method, implementation, label, same_as,
            maps_compared, flagged`` (images whose map is degenerate). ``label`` is the method's name, with its layer
            and then its trial where the name alone says too little; ``same_as`` is the trial whose maps it repeats, or
            ``""``, which without ``maps_compared`` says nothing.
    """

    facts: Mapping[str, str]
    higher_is_better: bool
    values: pd.DataFrame
    flags: pd.DataFrame
    groups: Groups
    unit: str
    entrants: pd.DataFrame

    @property
    def seed(self) -> int:
        """The seed of all resampling on this board: from its facts, so that no other row of the table changes it."""
        facts = {name: own_label(value) for name, value in self.facts.items()}
        return int(hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16], 16)

    @property
    def competitors(self) -> pd.DataFrame:
        """The entrants that stand for themselves."""
        return self.entrants[self.entrants["same_as"] == ""]

    @property
    def scores(self) -> pd.DataFrame:
        """The competitors' values, turned so that higher is better; columns by label."""
        chosen = self.competitors
        turned = self.values[chosen.index] * (1.0 if self.higher_is_better else -1.0)
        return turned.set_axis(chosen["label"], axis="columns")

    @property
    def sound(self) -> pd.DataFrame:
        """The competitors' scores without those of flagged maps; none of a method that is flagged on most images."""
        chosen = self.competitors
        flags = self.flags[chosen.index].to_numpy()
        return self.scores.mask(flags | (flags.mean(axis=0) > MOSTLY))

    @property
    def blocks(self) -> pd.DataFrame:
        """The competitors' scores, one row a unit: images as they are; a group's means over images that all share."""
        if self.unit == "images":
            return self.scores
        scores = self.scores.to_numpy(dtype=np.float64)
        _, rows = common(scores)
        means = group_means(np.where(rows[:, None], scores, np.nan), self.groups)
        return pd.DataFrame(means, columns=self.scores.columns)

    def array(self) -> Floats:
        """Return the values of all entrants, (n, m)."""
        return self.values.to_numpy(dtype=np.float64)


def boards(results: pd.DataFrame) -> Iterator[Board]:
    """Yield the boards of a results table, in the order of their facts; skips and errors are on none.

    Trials that were scored on other images, groups or classes than their fellows stand on a board of their own.

    Args:
        results: the results table; its column ``map_of`` (:mod:`heatmark.benchmarks.tables.repeats`) says which
            trials have one map, and without it nothing is known of that.
    """
    scored = results[results["metric"] != ""]
    if "map_of" not in scored:
        scored = scored.assign(map_of="")
    for _, rows in scored.groupby(FACTS):
        for _, cells in rows.groupby(rows["trial"].map(scored_on(rows)), sort=False):
            yield _board(cells)


def _board(cells: pd.DataFrame) -> Board:
    entrants = cells.drop_duplicates("trial").set_index("trial")[["layer", "method", "implementation", "map_of"]]
    cells = cells.assign(flagged=cells["status"] == "degenerate")
    values, flags = (
        cells.pivot(index=["image", "target"], columns="trial", values=name)[entrants.index]
        for name in ("value", "flagged")
    )
    groups = cells.drop_duplicates("image").set_index("image")["group"]
    images = values.index.get_level_values("image").to_series(index=values.index)
    entrants = entrants.assign(
        label=_labels(entrants),
        same_as=same_as(entrants["map_of"]),
        maps_compared=entrants["map_of"] != "",
        flagged=flags.sum(),
    ).drop(columns="map_of")
    return Board(
        {name: str(cells[name].iloc[0]) for name in FACTS},
        bool(cells["higher_is_better"].iloc[0]),
        values,
        flags,
        group_codes(images.map(groups), images),
        "groups" if (groups != "").any() else "images",
        entrants,
    )


def same_as(map_of: "pd.Series[str]") -> "pd.Series[str]":
    """Return, by trial, the trial that stands for it on this board, ``""`` where it stands for itself.

    Where the one that its maps are of has no number here, the first that has the same maps stands for them.
    """
    first = map_of.index.to_series().groupby(map_of).first()
    stands = map_of.where(map_of.isin(map_of.index), map_of.map(first))
    return stands.mask((map_of == "") | (stands == map_of.index), "")


def _labels(entrants: pd.DataFrame) -> pd.Series:
    labels = entrants["method"]
    for detail in (" @ " + entrants["layer"], " " + entrants.index.to_series().str[:8]):
        labels = labels.mask(labels.duplicated(keep=False), labels + detail)
    return labels

"""A board: all that may be compared with one another, and nothing else."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.columns import SETTING
from benchmarks.statistics.defined import Floats
from benchmarks.statistics.identical import same_as

FACTS = [*SETTING, "metric", "definition"]
"""What the rows of one board share: values that differ in any of these are never mixed."""


@dataclass(frozen=True, eq=False)
class Board:
    """One model's trials on the same images and classes, under one definition of one metric.

    Args:
        facts: the columns :data:`FACTS`.
        higher_is_better: of the metric.
        values: (images × trials), rows by image and target, columns by trial; NaN where undefined.
        entrants: one row a trial, in the order of the columns: ``layer, method, implementation, label, same_as,
            flagged`` (images whose map is degenerate). ``label`` is the method's name, with its layer and then its
            trial where the name alone says too little; ``same_as`` is the trial that stands for it, or ``""``.
    """

    facts: Mapping[str, str]
    higher_is_better: bool
    values: pd.DataFrame
    entrants: pd.DataFrame

    @property
    def seed(self) -> int:
        """The seed of all resampling on this board: from its facts, so that no other row of the table changes it."""
        return int(hashlib.sha256(json.dumps(dict(self.facts), sort_keys=True).encode()).hexdigest()[:16], 16)

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

    def array(self) -> Floats:
        """Return the values of all entrants, (n, m)."""
        return self.values.to_numpy(dtype=np.float64)


def boards(results: pd.DataFrame) -> Iterator[Board]:
    """Yield the boards of a results table, in the order of their facts; skips and errors are on none.

    Trials that were scored on other images or classes than their fellows stand on a board of their own.
    """
    scored = results[results["metric"] != ""]
    repeats = same_as(scored)
    for _, rows in scored.groupby(FACTS):
        scored_on = (rows["image"] + "\0" + rows["target"]).groupby(rows["trial"]).agg(frozenset)
        for _, cells in rows.groupby(rows["trial"].map(scored_on), sort=False):
            yield _board(cells, repeats)


def _board(cells: pd.DataFrame, repeats: Mapping[str, str]) -> Board:
    entrants = cells.drop_duplicates("trial").set_index("trial")[["layer", "method", "implementation"]]
    flags = (cells["status"] == "degenerate").groupby(cells["trial"]).sum()
    entrants = entrants.assign(
        label=_labels(entrants),
        same_as=[repeats.get(str(trial), "") for trial in entrants.index],
        flagged=flags.reindex(entrants.index),
    )
    values = cells.pivot(index=["image", "target"], columns="trial", values="value")[entrants.index]
    facts = {name: str(cells[name].iloc[0]) for name in FACTS}
    return Board(facts, bool(cells["higher_is_better"].iloc[0]), values, entrants)


def _labels(entrants: pd.DataFrame) -> pd.Series:
    labels = entrants["method"]
    for detail in (" @ " + entrants["layer"], " " + entrants.index.to_series().str[:8]):
        labels = labels.mask(labels.duplicated(keep=False), labels + detail)
    return labels

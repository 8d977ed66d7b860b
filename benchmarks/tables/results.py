"""The rows of the results table: one per picture, cell and metric, joined from what is asked for and what is stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.schema import CELL_KEY, OF_CELLS, SETTING
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.asked import OWN, Asked
from heatmark.benchmarks.tables.found import Found, Numbers, found

TIES = ["tied", "tie_low", "tie_high"]
RESULTS = [
    *CELL_KEY, *OF_CELLS, "maps", "map_of", "image", "group", "target", "metric", "definition", "value", *TIES,
    "higher_is_better", "status", "reason",
]  # fmt: skip
CHUNK_ROWS = 200_000
"""Rows of the table that are made at once."""


@dataclass(frozen=True, eq=False)
class Stored:
    """What the store has of a run's maps and scores, and of curves that failed."""

    maps: Found
    scores: Found
    curves: Found


def stored(store: Store, settings: Sequence[Asked]) -> Stored:
    """Read the rows of all that is asked for, without maps and curves themselves."""
    cells = [key for a in settings for key in a.cells["maps"]]
    scores = pd.concat([a.scores for a in settings]) if settings else pd.DataFrame(columns=["key", "curve", "needs"])
    needs = {*scores["needs"]}
    entries = [e for a in settings for e in a.entries]
    rows = [e.row() for e in entries]
    scored = [e.row(need) for need in needs for e in entries]
    return Stored(
        found(store, "maps", ["reason", "flag", "tied"], cells, ["", *rows]),
        found(store, "scores", ["reason", "value", "tie_low", "tie_high"], scores["key"].tolist(), scored),
        found(store, "curves", ["reason"], scores["curve"].tolist(), rows),
    )


def result_rows(a: Asked, of: Stored) -> Iterator[pd.DataFrame]:
    """Yield a setting's rows in the order of its cells, some cells at a time; derived metrics are not among them."""
    yield _refused(a)
    yield _without_numbers(a, of)
    wanted = a.scores[(a.scores["skipped"] == "") & (a.scores["key"] != "")]
    order = pd.Series(range(len(a.cells)), index=a.cells["cell"])
    wanted = wanted.assign(place=wanted["cell"].map(order)).sort_values("place", kind="stable")
    size = max(1, CHUNK_ROWS // max(1, len(a.entries)))
    for start in range(0, len(wanted), size):
        yield _scored(a, of, wanted.iloc[start : start + size].reset_index(drop=True))


def _refused(a: Asked) -> pd.DataFrame:
    """Return one row per picture that cannot be explained."""
    rows = [
        {"image": e.image, "group": e.group, "target": "", "status": "error", "reason": e.reason} for e in a.refused
    ]
    return pd.DataFrame(rows, columns=["image", "group", "target", "status", "reason"]).assign(
        **{name: a.facts[name] for name in SETTING}
    )


def _without_numbers(a: Asked, of: Stored) -> pd.DataFrame:
    """Return one row per cell that was skipped or failed altogether, and per cell and metric that was skipped."""
    cells = a.cells.assign(status="skipped", reason=a.cells["skipped"])
    failed = _failed(a, of)
    cells.loc[failed != "", "status"] = "error"
    cells["reason"] = cells["reason"].where(failed == "", failed)
    alone = cells[cells["reason"] != ""]
    metrics = a.scores[(a.scores["skipped"] != "")].merge(cells[cells["reason"] == ""][OWN], on="cell")
    metrics = metrics.assign(status="skipped", reason=metrics["metric"] + ": " + metrics["skipped"])
    return pd.concat([alone[[*OWN, "status", "reason"]], metrics[[*OWN, "status", "reason"]]])


def _failed(a: Asked, of: Stored) -> "pd.Series[str]":
    """Return why each cell failed on all of its images, ``""`` where it did not."""
    whole = of.maps.grid(a.cells["maps"].tolist(), [""])[:, 0]
    some = (of.maps.grid(a.cells["maps"].tolist(), [e.row() for e in a.entries]) >= 0).any(axis=1)
    reasons = of.maps.take("reason", whole, "")
    return pd.Series(np.where(some, "", reasons), index=a.cells.index)


def _scored(a: Asked, of: Stored, wanted: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of some cells and metrics: those whose score, map or curve is stored or failed."""
    entries, cells = a.entries, a.cells.set_index("cell", drop=False)
    maps = of.maps.grid(cells.loc[wanted["cell"], "maps"].tolist(), [e.row() for e in entries])
    scores = _score_grid(of, wanted, entries)
    curves = of.curves.grid(wanted["curve"].tolist(), [e.row() for e in entries])
    failures = [(of.maps, maps), (of.curves, np.where(scores >= 0, -1, curves)), (of.scores, scores)]
    reason = np.full(scores.shape, "", dtype=object)
    for source, numbers in failures:
        failed = source.take("status", numbers, "ok") == "error"
        reason = np.where(failed & (reason == ""), source.take("reason", numbers, ""), reason)
    flag, broken = of.maps.take("flag", maps, ""), reason != ""
    status = np.where(broken, "error", np.where(flag != "", "degenerate", "ok"))
    said = np.where(broken, reason, np.where(flag != "", flag, of.scores.take("reason", scores, "")))
    numbers = {name: of.scores.take(name, scores, np.nan).astype(float) for name in ("value", "tie_low", "tie_high")}
    columns = {"tied": of.maps.take("tied", maps, np.nan).astype(float), **numbers, "status": status, "reason": said}
    return _flat(a, wanted, columns, (scores >= 0) | broken)


def _score_grid(of: Stored, wanted: pd.DataFrame, entries: Sequence[Entry]) -> Numbers:
    grid = np.full((len(wanted), len(entries)), -1)
    for needs, part in wanted.groupby("needs"):
        grid[part.index] = of.scores.grid(part["key"].tolist(), [e.row(needs) for e in entries])
    return grid


def _flat(a: Asked, wanted: pd.DataFrame, columns: dict[str, NDArray[Any]], kept: NDArray[np.bool_]) -> pd.DataFrame:
    """Return arrays (scores, entries) as rows, with the columns of their cells, metrics and pictures."""
    which, image = np.nonzero(kept)
    cells = a.cells.set_index("cell", drop=False).loc[wanted["cell"].to_numpy()[which], OWN].reset_index(drop=True)
    metrics = wanted[["metric", "definition", "higher_is_better"]].take(which).reset_index(drop=True)
    facts = [(e.image, e.group, str(e.target)) for e in a.entries]
    pictures = pd.DataFrame(facts, columns=["image", "group", "target"]).take(image).reset_index(drop=True)
    numbers = pd.DataFrame({name: values[which, image] for name, values in columns.items()})
    return pd.concat([cells, pictures, metrics, numbers], axis=1)

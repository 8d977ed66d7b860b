"""Data of the gallery: pictures, maps, curves and scores, as plain values that become JSON."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from heatmark.benchmarks.report.maps import affordable_side, quantised, shrink, thinned
from heatmark.benchmarks.report.pictures import Seen
from heatmark.benchmarks.schema import DIGESTS, SETTING
from heatmark.benchmarks.tables.curves import StoredCurves, aligned
from heatmark.benchmarks.tables.pictures import Shown

MAP_BYTES = 3_000_000
"""Largest size of all maps together, in the page."""
SUBJECT = [name for name in SETTING if name != "target_rule"]
"""Columns that identify a subject: a model in a setting. The rule by which the explained class is chosen is not among
them, so that maps for several classes of an image are shown together."""
VIEW = ["dataset", "model", *DIGESTS]
"""Columns that identify a view: a set of images as one network (with its preprocessing) saw them."""


@dataclass(frozen=True)
class Tables:
    """The tables of a run from which the gallery is made.

    Args:
        results: the results table, with rows of skipped and failed cells.
        curves: the curves, which are read a cell at a time.
        kept: the run's maps.
    """

    results: pd.DataFrame
    curves: StoredCurves
    kept: Shown

    def scored(self) -> pd.DataFrame:
        """Return the rows of results that have a score, of replicate 0: the gallery shows its maps."""
        return self.results[(self.results["metric"] != "") & (self.results["replicate"] == 0)]


def gallery(
    tables: Tables,
    ranked: pd.DataFrame,
    views: Mapping[tuple[str, ...], Seen],
    limit: int | None,
    told: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the data of a run's gallery.

    Args:
        tables: the run's tables.
        ranked: the run's leaderboard, for names of methods and repeated maps.
        views: the images as models saw them, by the values of :data:`VIEW`.
        limit: number of images of each dataset, of which the first are shown; None for all.
        told: columns whose values are part of a subject's name, beside its model.

    Returns:
        ``pictures``: data URIs. ``images``: dataset, name and label of each. ``definitions``: of metrics.
        ``subjects``: of each, a name, its facts, the names of classes, and the position in ``pictures`` by the position
        of an image. ``cells``: of each, the facts, the positions of its subject and ``images``, and, in the order of
        these: ``targets`` (explained classes), ``flags``, ``map`` (packed by :func:`.maps.quantised`, with ``kept``:
        whether the run keeps the image's map), ``values`` and ``curves`` by definition.
    """
    scored = tables.scored()
    images = shown_images(scored, limit)
    position = {key: index for index, key in enumerate(images)}
    subjects = list(scored[SUBJECT].drop_duplicates().itertuples(index=False, name=None))
    pictures: dict[str, int] = {}
    settings = [dict(zip(SUBJECT, facts, strict=True)) for facts in subjects]
    seen = [_subject(facts, views, position, pictures) | {"name": subject_name(facts, told)} for facts in settings]
    labels = {(dataset, name): label for (dataset, *_), view in views.items() for name, label in view.labels.items()}
    return {
        "definitions": definitions(scored),
        "images": [{"dataset": d, "name": n, "label": labels.get((d, n), "")} for d, n in images],
        "subjects": seen,
        "cells": list(_cells(tables, ranked, position, subjects)),
        "pictures": list(pictures),
    }


def definitions(scored: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each definition of a metric with ``metric`` and ``higher_is_better`` (None for a descriptive one)."""
    found = scored.drop_duplicates("definition")[["definition", "metric", "higher_is_better"]].astype(object)
    return [
        {str(name): value for name, value in row.items()} for row in found.where(found.notna(), None).to_dict("records")
    ]


def subject_name(facts: Mapping[str, str], told: Sequence[str]) -> str:
    """Return a model's name, followed in brackets by its values of the columns ``told``."""
    details = ", ".join(facts[name] for name in told)
    return f"{facts['model']} ({details})" if details else facts["model"]


def places(shown: Mapping[str, Any]) -> Collection[tuple[str, str]]:
    """Return the pairs (cell, name of the image) that a gallery shows."""
    names = [image["name"] for image in shown["images"]]
    return {(cell["cell"], names[index]) for cell in shown["cells"] for index in cell["images"]}


def shown_images(scored: pd.DataFrame, limit: int | None) -> list[tuple[str, str]]:
    """Return the pairs (dataset, name) of the first ``limit`` images of every dataset, in the order of the table."""
    pairs = scored[["dataset", "image"]].drop_duplicates()
    kept = pairs if limit is None else pairs.groupby("dataset", sort=False).head(limit)
    return list(kept.itertuples(index=False, name=None))


def _subject(
    facts: dict[str, str],
    views: Mapping[tuple[str, ...], Seen],
    position: Mapping[tuple[str, str], int],
    pictures: dict[str, int],
) -> dict[str, Any]:
    """Return the data of one subject; its pictures are added to ``pictures`` where they are not there yet."""
    view = views.get(tuple(facts[name] for name in VIEW), Seen())
    shown = {
        position[facts["dataset"], name]: pictures.setdefault(uri, len(pictures))
        for name, uri in view.pictures.items()
        if (facts["dataset"], name) in position
    }
    return {**facts, "classes": list(view.classes), "pictures": shown}


def _cells(
    tables: Tables,
    ranked: pd.DataFrame,
    position: Mapping[tuple[str, str], int],
    subjects: Sequence[tuple[str, ...]],
) -> Iterator[dict[str, Any]]:
    scored = dict(iter(tables.scored().groupby("cell")))
    cells = [row for row in ranked.drop_duplicates("cell").to_dict("records") if row["cell"] in scored]
    shown = {row["cell"]: _shown(scored[row["cell"]], position) for row in cells}
    side = affordable_side(_sizes(tables, shown), MAP_BYTES)
    for row in cells:
        scores, rows = scored[row["cell"]], shown[row["cell"]]
        if rows.empty:
            continue
        names = rows["image"]
        flagged = rows["status"].isin(["degenerate", "error"])
        yield {
            **{name: row[name] for name in ("cell", "layer", "method", "implementation", "label", "same_as")},
            "subject": subjects.index(tuple(row[name] for name in SUBJECT)),
            "images": [position[row["dataset"], name] for name in names],
            "targets": rows["target"].tolist(),
            "flags": rows["reason"].where(flagged, "").tolist(),
            "map": _map(tables.kept, rows, side),
            "values": {key: _values(part, names) for key, part in scores.groupby("definition")},
            "curves": _curves(tables.curves.of(str(row["cell"]), names), names),
        }


def _shown(scores: pd.DataFrame, position: Mapping[tuple[str, str], int]) -> pd.DataFrame:
    """Return a cell's row of each image that the gallery shows."""
    rows = scores.drop_duplicates("image")
    places = zip(rows["dataset"], rows["image"], strict=True)
    shown: pd.DataFrame = rows[np.array([place in position for place in places], dtype=bool)]
    return shown


def _sizes(tables: Tables, shown: Mapping[str, pd.DataFrame]) -> list[tuple[int, int, int]]:
    rows = pd.concat(shown.values()) if shown else pd.DataFrame(columns=["maps", *SETTING])
    found = []
    for _, part in rows.groupby(SETTING):
        known = tables.kept.entries(part.iloc[0].to_dict())
        found += tables.kept.sizes(set(part["maps"]), [known[name] for name in part["image"].unique()])
    return found


def _map(kept: Shown, rows: pd.DataFrame, side: int) -> dict[str, Any] | None:
    """Return a cell's maps of some images, packed; None where the run keeps none of them."""
    known = kept.entries(rows.iloc[0].to_dict())
    maps = kept.maps(str(rows["maps"].iloc[0]), [known[name] for name in rows["image"]])
    size = next((one.shape for one in maps if one is not None), None)
    if size is None:
        return None
    there = [one is not None and one.shape == size for one in maps]
    whole = np.stack([one if one is not None and good else np.full(size, np.nan, np.float32)
                      for one, good in zip(maps, there, strict=True)])  # fmt: skip
    small = shrink(whole, side)
    return {"h": small.shape[1], "w": small.shape[2], "size": list(size), "kept": there, **quantised(small)}


def _values(rows: pd.DataFrame, names: "pd.Series[str]") -> list[float | None]:
    values = rows.set_index("image")["value"].reindex(names)
    return [None if np.isnan(value) else float(f"{value:.5g}") for value in values]


def _curves(rows: pd.DataFrame, names: "pd.Series[str]") -> dict[str, Any]:
    found = {}
    for key, part in rows[rows["replicate"] == 0].groupby("definition"):
        fractions, known = aligned(part)
        scores = np.full((len(names), len(fractions)), np.nan)
        scores[pd.Index(names).get_indexer(pd.Index(part["image"]))] = known
        fractions, scores = thinned(fractions, scores)
        found[str(key)] = {"fractions": [float(f"{x:.5g}") for x in fractions], **quantised(scores)}
    return found

"""Data of the gallery: pictures, maps, curves and scores, as plain values that become JSON."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heatmark.benchmarks.report.maps import affordable_side, quantised, shrink, thinned
from heatmark.benchmarks.report.pictures import Seen
from heatmark.benchmarks.schema import DIGESTS, SETTING

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
        curves: the curves table.
        maps: folder of the raw maps, one file per cell.
    """

    results: pd.DataFrame
    curves: pd.DataFrame
    maps: Path

    def scored(self) -> pd.DataFrame:
        """Return the rows of results that have a score."""
        return self.results[self.results["metric"] != ""]


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
        these: ``targets`` (explained classes), ``flags``, ``map`` (packed by :func:`.maps.quantised`), ``values`` and
        ``curves`` by definition.
    """
    scored = tables.scored()
    images = shown_images(scored, limit)
    position = {key: index for index, key in enumerate(images)}
    definitions = scored.drop_duplicates("definition")[["definition", "metric", "higher_is_better"]]
    subjects = list(scored[SUBJECT].drop_duplicates().itertuples(index=False, name=None))
    pictures: dict[str, int] = {}
    settings = [dict(zip(SUBJECT, facts, strict=True)) for facts in subjects]
    seen = [_subject(facts, views, position, pictures) | {"name": subject_name(facts, told)} for facts in settings]
    labels = {(dataset, name): label for (dataset, *_), view in views.items() for name, label in view.labels.items()}
    return {
        "definitions": definitions.to_dict("records"),
        "images": [{"dataset": d, "name": n, "label": labels.get((d, n), "")} for d, n in images],
        "subjects": seen,
        "cells": list(_cells(tables, ranked, position, subjects)),
        "pictures": list(pictures),
    }


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
    side = affordable_side(_sizes(tables, ranked, len(position)), MAP_BYTES)
    curves = dict(iter(tables.curves.groupby("cell")))
    scored = dict(iter(tables.scored().groupby("cell")))
    for row in ranked.drop_duplicates("cell").to_dict("records"):
        scores = scored[row["cell"]]
        per_image = scores.drop_duplicates("image")
        kept = np.array([(row["dataset"], image) in position for image in per_image["image"]])
        if not kept.any():
            continue
        names = per_image["image"][kept]
        yield {
            **{name: row[name] for name in ("cell", "layer", "method", "implementation", "label", "same_as")},
            "subject": subjects.index(tuple(row[name] for name in SUBJECT)),
            "images": [position[row["dataset"], name] for name in names],
            "targets": per_image["target"][kept].tolist(),
            "flags": per_image["reason"][kept].tolist(),
            "map": _map(tables.maps / f"{row['cell']}.npy", kept, side),
            "values": {key: _values(part, names) for key, part in scores.groupby("definition")},
            "curves": _curves(curves.get(row["cell"]), names),
        }


def _sizes(tables: Tables, ranked: pd.DataFrame, most: int) -> list[tuple[int, int, int]]:
    files = (tables.maps / f"{cell}.npy" for cell in ranked["cell"].unique())
    shapes = [np.load(file, mmap_mode="r", allow_pickle=False).shape for file in files if file.exists()]
    return [(min(n, most), h, w) for n, h, w in shapes]


def _map(file: Path, kept: "np.ndarray[Any, np.dtype[np.bool_]]", side: int) -> dict[str, Any] | None:
    if not file.exists():
        return None
    maps = np.load(file, allow_pickle=False)
    if len(maps) != len(kept):
        return None
    small = shrink(maps[kept], side)
    return {"h": small.shape[1], "w": small.shape[2], "size": list(maps.shape[1:]), **quantised(small)}


def _values(rows: pd.DataFrame, names: "pd.Series[str]") -> list[float | None]:
    values = rows.set_index("image")["value"].reindex(names)
    return [None if np.isnan(value) else float(f"{value:.5g}") for value in values]


def _curves(rows: pd.DataFrame | None, names: "pd.Series[str]") -> dict[str, Any]:
    if rows is None:
        return {}
    found = {}
    for key, part in rows[rows["image"].isin(set(names))].groupby("definition"):
        wide = part.pivot(index="image", columns="fraction", values="score").reindex(names)
        fractions, scores = thinned(wide.columns.to_numpy(dtype=np.float64), wide.to_numpy())
        found[str(key)] = {"fractions": [float(f"{x:.5g}") for x in fractions], **quantised(scores)}
    return found

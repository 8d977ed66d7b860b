"""What the gallery shows: pictures, maps, curves and numbers as plain data that a script can read."""

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
SUBJECT = [name for name in SETTING if name != "target_rule"]  # several classes of one picture stand side by side
VIEW = ["dataset", "model", *DIGESTS]
"""What tells apart what models saw: a network (with its preprocessing) and a set of images."""


@dataclass(frozen=True)
class Tables:
    """A run's tables: results (all of them, scored and not), curves and the folder of its maps."""

    results: pd.DataFrame
    curves: pd.DataFrame
    maps: Path

    def scored(self) -> pd.DataFrame:
        """Return the rows that carry a metric."""
        return self.results[self.results["metric"] != ""]


def gallery(
    tables: Tables,
    ranked: pd.DataFrame,
    views: Mapping[tuple[str, ...], Seen],
    limit: int | None,
    told: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the gallery of a run.

    Args:
        tables: of the run.
        ranked: its leaderboard, for names and repeats.
        views: what models saw, by the values of :data:`VIEW`.
        limit: images of each dataset, the first ones; None takes all.
        told: columns that name a subject beside its model.

    Returns:
        ``pictures`` (data URIs); ``images`` (dataset, name, label); ``definitions``; ``subjects`` (one a model in a
        setting: name, facts, classes, which picture belongs to which image); ``cells`` (cell, subject, layer, method,
        explained classes, flags, map, values and curves by definition), of which every list follows the cell's
        ``images``.
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
    """Return a model's name, with what else tells it from the run's other ones in brackets."""
    details = ", ".join(facts[name] for name in told)
    return f"{facts['model']} ({details})" if details else facts["model"]


def places(shown: Mapping[str, Any]) -> Collection[tuple[str, str]]:
    """Return the (cell, image's name) that a gallery shows."""
    names = [image["name"] for image in shown["images"]]
    return {(cell["cell"], names[index]) for cell in shown["cells"] for index in cell["images"]}


def shown_images(scored: pd.DataFrame, limit: int | None) -> list[tuple[str, str]]:
    """Return (dataset, name) of the first images of every dataset, in the order of the table."""
    pairs = scored[["dataset", "image"]].drop_duplicates()
    kept = pairs if limit is None else pairs.groupby("dataset", sort=False).head(limit)
    return list(kept.itertuples(index=False, name=None))


def _subject(
    facts: dict[str, str],
    views: Mapping[tuple[str, ...], Seen],
    position: Mapping[tuple[str, str], int],
    pictures: dict[str, int],
) -> dict[str, Any]:
    """Return one model in one setting; its pictures go into the common list, each only once."""
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
        chosen = scored[row["cell"]]
        listed = chosen.drop_duplicates("image")
        kept = np.array([(row["dataset"], image) in position for image in listed["image"]])
        if not kept.any():
            continue
        names = listed["image"][kept]
        yield {
            **{name: row[name] for name in ("cell", "layer", "method", "implementation", "label", "same_as")},
            "subject": subjects.index(tuple(row[name] for name in SUBJECT)),
            "images": [position[row["dataset"], name] for name in names],
            "targets": listed["target"][kept].tolist(),
            "flags": listed["reason"][kept].tolist(),
            "map": _map(tables.maps / f"{row['cell']}.npy", kept, side),
            "values": {key: _values(part, names) for key, part in chosen.groupby("definition")},
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

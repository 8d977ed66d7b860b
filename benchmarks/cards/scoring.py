"""Scores of planted maps, by sweeps of their own in temporary folders, so that a metric runs as in any sweep."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from heatmark.benchmarks import api
from heatmark.benchmarks.cards.invariant import invariant
from heatmark.benchmarks.cards.planted import Maps
from heatmark.benchmarks.cards.variants import TRUTH, Judged, Variant
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.data.told_apart import ToldApart
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.statistics.defined import Floats
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.tables.gather import gather
from heatmark.common.identity import definition
from heatmark.methods.given import given_maps
from heatmark.metrics.base import Metric

Shown = Callable[[JobRecord, str], AbstractContextManager[Observer]]
"""(record, which part of the work) -> a context with the observer that shows it."""


def scores(
    classifier: Classifier,
    dataset: Dataset,
    maps: Mapping[Variant, Maps],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
    shown: Shown,
    part: str,
) -> pd.DataFrame:
    """Return a sweep's table of maps that are given, whose methods are the variants.

    Args:
        classifier: the model.
        dataset: its pictures.
        maps: of each variant, one per picture.
        metrics: by name.
        settings: of the sweep; nothing is timed and no map is kept.
        shown: shows progress.
        part: which part of the work it is.
    """
    methods = {str(variant): given_maps(each) for variant, each in maps.items()}
    asked = replace(settings, layers=(), timing=False, keep_maps="none")
    with TemporaryDirectory() as folder:
        record = JobRecord(Path(folder), {}, classifier.name)
        with shown(record, part) as observer:
            api.sweep(classifier, ToldApart(dataset), methods, metrics, asked, record, observer)
        return gather(Path(folder))


def reseeded(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Return metrics with another seed in those that have one among their options."""
    return {name: _reseeded(metric) for name, metric in metrics.items()}


def _reseeded(metric: Any) -> Metric:
    seed = getattr(metric, "seed", None)
    has_one = is_dataclass(metric) and isinstance(seed, int)
    made: Metric = replace(metric, seed=seed + 1) if has_one and seed is not None else metric
    return made


def judged(
    metrics: Mapping[str, Metric], maps: Mapping[Variant, Maps], first: pd.DataFrame, again: pd.DataFrame,
    other: pd.DataFrame,
) -> list[Judged]:  # fmt: skip
    """Return the scores under each metric.

    Args:
        metrics: by name.
        maps: of all variants.
        first: the table of all variants.
        again: that of some of them once more.
        other: that of these with another seed.
    """
    images = sorted(set(first["image"]) - {""})
    return [
        Judged(
            name,
            metric.higher_is_better,
            by_variant(first, name, maps, images),
            by_variant(again, name, maps, images),
            by_variant(other, name, maps, images),
            _reason(first, name),
            invariant(name, metrics),
            "masks" in metric.needs,
            _definition(first, name, metric),
        )
        for name, metric in metrics.items()
    ]


def by_variant(
    table: pd.DataFrame, metric: str, variants: Iterable[Variant], images: Sequence[str]
) -> dict[Variant, Floats]:
    """Return the scores under one metric of the variants that a table has, (n,) each, in the order of the images."""
    rows = table[(table["metric"] == metric) & (table["image"] != "")]
    wide = rows.pivot_table("value", "image", "method", aggfunc="first", dropna=False).reindex(list(images))
    names = {str(variant): variant for variant in variants}
    return {names[name]: wide[name].to_numpy(dtype=np.float64) for name in wide.columns if name in names}


def _definition(table: pd.DataFrame, name: str, metric: Metric) -> str:
    """Return the id of a metric's definition as tables have it: that of a derived metric names its terms."""
    found = table.loc[table["metric"] == name, "definition"]
    return str(found.iloc[0]) if len(found) else definition(name, metric)


def _reason(table: pd.DataFrame, metric: str) -> str:
    """Return the commonest reason why a metric has no value of a real map, ``""`` where there is none.

    A metric that has no value at all has no rows of its own: a row of the whole cell says why, after its name.
    """
    rows = table[(table["metric"] == metric) & (table["reason"] != "") & (table["method"] != str(TRUTH))]
    skipped = table.loc[table["metric"].eq("") & table["reason"].str.startswith(f"{metric}: "), "reason"]
    reasons = [*rows["reason"], *skipped.str.removeprefix(f"{metric}: ")]
    return str(pd.Series(reasons).mode().iloc[0]) if reasons else ""

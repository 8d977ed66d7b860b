"""Concordance of models and of metrics on the order of methods: Kendall's W."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from heatmark.benchmarks.statistics.comparisons import FACTS, Comparison, comparisons
from heatmark.benchmarks.statistics.digests import own_label
from heatmark.benchmarks.statistics.kendall import kendall_w
from heatmark.benchmarks.statistics.ranks import common

MODEL = ["model", "weights", "weights_digest"]
"""Columns that identify a model."""

VARIED = {
    "models": [*MODEL, "images_digest", "layer"],
    "metrics": ["metric", "definition"],
    "models and metrics": [*MODEL, "images_digest", "layer", "metric", "definition"],
}
"""Columns in which judges differ, by what W is taken across. Two models may see the same images in two sizes, so that
judges of several models differ in ``images_digest``."""

HYPOTHESIS = "the order of the methods on one model says nothing of that on another: all orders are equally likely"
DESCRIPTIVE = "none: judges of one model share its images and maps, so W only describes them"

FIXED = ["dataset", "images_digest", "target_rule", "device", "precision", "metric", "definition"]
COLUMNS = [
    "across", *FIXED, *MODEL, "layer", "w", "hypothesis", "p_value", "p_error", "permutations", "n_judges",
    "n_independent", "n_methods", "left_out",
]  # fmt: skip


def judges(results: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores (judges × methods), higher is better; a judge is a comparison at one layer.

    Descriptive metrics are no judges.

    Means are over the images on which all the judge's methods are defined. Methods that belong to no layer (``input``)
    compete at every layer. A method that repeats another one's maps has that one's score and ties with it; one that
    repeats the same other method for every judge is left out.

    Returns:
        Index: the comparison's facts, ``layer`` and ``images`` (a digest of the images' names). Columns: methods; NaN
        where a judge has no such method, or no value.
    """
    rows = [
        row
        for comparison in comparisons(results)
        if comparison.higher_is_better is not None
        for row in _judges(comparison)
    ]
    index = [*FACTS, "layer", "images"]
    if not rows:
        return pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=index))
    table = pd.concat(rows, ignore_index=True)
    competing = table[table["method"] == table["original"]]["method"].unique()
    originals = table.groupby("method")["original"].nunique()
    kept = table["method"].isin(competing) | (table["method"].map(originals) > 1)
    return table[kept].groupby([*index, "method"])["score"].mean().unstack("method")


def _judges(comparison: Comparison) -> Iterator[pd.DataFrame]:
    """Yield one table per layer: ``method``, the ``original`` whose maps it has, and its ``score``."""
    methods = comparison.methods
    cells = methods["same_as"].where(methods["same_as"] != "", methods.index.to_series())
    everyone = pd.DataFrame({"method": methods["method"], "original": cells.map(methods["method"]), "cell": cells})
    layers = [name for name in methods["layer"].unique() if name != "input"] or ["input"]
    names = "\n".join(sorted(comparison.values.index.get_level_values("image")))
    images = hashlib.sha256(names.encode()).hexdigest()
    for layer in layers:
        here = everyone[methods["layer"].isin([layer, "input"])]
        scores = comparison.values[here["cell"].unique()] * comparison.direction
        _, shared = common(scores.to_numpy(dtype=np.float64))
        found = here.assign(score=here["cell"].map(scores[shared].mean()), layer=layer, images=images)
        yield found.assign(**comparison.facts)


def concordance(results: pd.DataFrame) -> pd.DataFrame:
    """Return Kendall's W across models (and layers), across metrics, and across both.

    A judge is one model at one layer under one definition of one metric, on one set of images. Judges of one model are
    not independent: deletion and insertion score the same maps on the same images (both flip pixels), and layers share
    a network. Across metrics W is therefore given without a p-value; across models the permutation test moves all
    judges of one model together. It is conditional on the images, which the models share.

    Returns:
        ``across`` (``models``, ``metrics``, ``models and metrics``); the judges' facts, ``""`` where that is what the
        judges differ in; ``w``; the null ``hypothesis``, the ``p_value``, its standard error ``p_error`` (0 where it
        is exact) and the number of ``permutations``; ``n_judges``, the ``n_independent`` models among them,
        ``n_methods``; ``left_out`` (methods' names joined by commas). One row per set of two or more judges.
    """
    table = _on_one_set(judges(results))
    rows: dict[tuple[object, ...], dict[Any, Any]] = {}  # by the judges, so that each set of them appears once
    for across, varied in VARIED.items():
        fixed = [name for name in table.index.names if name not in varied]
        for key, scores in table.groupby(level=fixed):
            if len(scores) < 2 or tuple(scores.index) in rows:
                continue
            facts = dict(zip(map(str, fixed), map(str, key), strict=True))
            models = scores.index.to_frame()[MODEL].agg("\0".join, axis="columns")
            found = kendall_w(scores, models.to_list(), _seed(facts))
            words = {"hypothesis": HYPOTHESIS if found.n_independent > 1 else DESCRIPTIVE}
            own = {"across": across, "left_out": ", ".join(found.left_out)}
            rows[tuple(scores.index)] = dict.fromkeys(varied, "") | facts | vars(found) | words | own
    return pd.DataFrame(list(rows.values()), columns=COLUMNS)


def _on_one_set(table: pd.DataFrame) -> pd.DataFrame:
    """Return judges with ``images`` told apart by digest where one model has two sets of images of the same names."""
    if table.empty:
        return table
    index = table.index.to_frame(index=False)
    index["dataset"] = index["dataset"].map(own_label)
    alike = ["dataset", "images"]
    several = index.groupby([*alike, *MODEL])["images_digest"].transform("nunique") > 1
    split = several.groupby([index[name] for name in alike]).transform("any")
    index["images"] = index["images"].mask(split, index["images"] + index["images_digest"])
    return table.set_axis(pd.MultiIndex.from_frame(index))


def _seed(facts: dict[str, str]) -> int:
    text = "\n".join(f"{name}={own_label(str(value))}" for name, value in sorted(facts.items()))
    return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)

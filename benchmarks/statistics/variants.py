"""Distinct names for one method with several sets of options, and for two sets of weights with one label."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.digests import labels_told_apart

FEWEST_LETTERS = 4
"""Number of letters of a cell's key, at least, in a name where nothing else distinguishes two cells."""


def told_apart(results: pd.DataFrame) -> pd.DataFrame:
    """Return results in which every name of a method stands for one set of options, such as ``rise masks=4000``.

    A method that ran with one set keeps its name. Where two cells on the same images, at one layer of one setting,
    still share a name (their options are not recorded, or something else differs), it ends in the first letters of
    the cell's key. Labels of weights and datasets that mean two things are told apart as well
    (:func:`heatmark.benchmarks.statistics.digests.labels_told_apart`).

    Returns:
        All columns as they are but ``method``, ``weights`` and ``dataset``.
    """
    if results.empty:
        return results
    results = labels_told_apart(results)
    cells = results[results["cell"] != ""].drop_duplicates("cell").set_index("cell", drop=False)
    cells["images"] = results.groupby("cell")["image"].agg(frozenset).reindex(cells.index)
    named = _by_cell(cells.assign(method=_by_options(cells)))
    return results if named.equals(cells["method"]) else _renamed(results, named)


def renamed(frame: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Return a table of the same run (timing, curves) with the names of methods, weights and datasets in results."""
    if frame.empty or results.empty:
        return frame
    cells = results.drop_duplicates("cell").set_index("cell")
    return frame.assign(
        **{
            name: frame["cell"].map(cells[name]).fillna(frame[name])
            for name in ("method", "weights", "dataset")
            if name in frame
        }
    )


def plain(method: str) -> str:
    """Return a method's name without its options in parentheses, and without what :func:`told_apart` added.

    >>> plain("random(seed=1)"), plain("rise masks=1000")
    ('random', 'rise')
    """
    return method.partition("(")[0].partition(" ")[0]


def _renamed(frame: pd.DataFrame, names: "pd.Series[str]") -> pd.DataFrame:
    return frame.assign(method=frame["cell"].map(names).fillna(frame["method"]))


def _by_options(cells: pd.DataFrame) -> "pd.Series[str]":
    """Return every cell's method, followed by the options that differ where it has several sets of them."""
    names = cells["method"].copy()
    if "options" not in cells:
        return names
    for method, rows in cells[cells["options"].fillna("") != ""].groupby("method"):
        words = _differences(rows["options"].unique())
        names[rows.index] = [f"{method} {words[text]}".strip() for text in rows["options"]]
    return names


def _by_cell(cells: pd.DataFrame) -> "pd.Series[str]":
    """Return every cell's method, with the first letters of its key where others have its name and layer."""
    again = cells.duplicated([*SETTING, "images", "layer", "method"], keep=False)
    keys = cells.loc[again, "cell"]
    longest = int(keys.str.len().max()) if again.any() else 0
    enough = (n for n in range(FEWEST_LETTERS, longest) if keys.str[:n].is_unique)
    return cells["method"].mask(again, cells["method"] + " " + cells["cell"].str[: next(enough, longest)])


def _differences(texts: Iterable[str]) -> dict[str, str]:
    """Return, for every set of options (JSON), those whose value is not the same in all sets."""
    sets = {text: dict(_leaves(json.loads(text))) for text in texts}
    keys = sorted({key for found in sets.values() for key in found})
    differ = [key for key in keys if len({found.get(key) for found in sets.values()}) > 1]
    return {text: " ".join(f"{key}={found[key]}" for key in differ if key in found) for text, found in sets.items()}


def _leaves(options: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return every option with its value as text; options of a nested method have dotted names."""
    found: list[tuple[str, str]] = []
    for key, value in options.items():
        if isinstance(value, Mapping):
            found += _leaves(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            found.append((f"{prefix}{key}", text))
    return found

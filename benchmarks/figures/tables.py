"""The data of figures: a run's tables, and what several figures select from them (panels, titles, labels)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.comparisons import arrow
from heatmark.benchmarks.statistics.groups import scored_on
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.replicates import averaged
from heatmark.benchmarks.statistics.variants import plain, renamed, told_apart
from heatmark.benchmarks.tables.curves import StoredCurves
from heatmark.benchmarks.tables.gathered import read_table

NO_LAYER = "input"
"""What the tables have as the layer of methods that explain the input and belong to no layer."""
TOLD = [name for name in SETTING if name != "model" and not name.endswith("_digest")]
"""Columns that a title may give beside the model. Digests are left out: equal labels of two digests are made distinct
before."""
LIBRARIES = {"pgc_": "pgc", "captum_layer_": "Captum layer", "captum_": "Captum"}
"""Labels of libraries in figures, by the prefix of their methods' names."""


@dataclass(frozen=True, eq=False)
class Tables:
    """A run's tables, and how figures show them.

    Args:
        results, timing: the tables that ``heatmark gather`` writes.
        curves: the run's curves, which are read a cell at a time; None where there are none.
        conformance: the table that ``heatmark check`` writes; empty where there is none.
        run: folder of the run, for its maps and pictures; None where there is none.
        names: labels of methods by name; a label also applies to the same method of another library, whose name is then
            added.
        controls: names of the control methods, whose maps do not depend on the model.
        images: number of rows of the qualitative grid.
    """

    results: pd.DataFrame
    timing: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: StoredCurves | None = None
    conformance: pd.DataFrame = field(default_factory=pd.DataFrame)
    run: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    controls: Sequence[str] = ("random",)
    images: int = 6

    def label(self, method: str) -> str:
        """Return a method's label in figures and paper tables."""
        if method in self.names:
            return self.names[method]
        own, base, library = plain(method), family(method), library_of(method)
        name = self.names.get(own) or self.names.get(base, base.replace("_", " "))
        if library and own not in self.names:
            name += f" ({library})"
        return name + method.removeprefix(own)

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The rows of results that have a score."""
        return self.results[self.results["metric"] != ""] if len(self.results) else self.results

    @cached_property
    def deepest(self) -> pd.DataFrame:
        """The scored rows at each model's deepest layer, and of methods that belong to no layer.

        Where cells of one model were scored on different images or classes, only those of the most frequent set.
        """
        found = [alike(rows[rows["layer"].isin([NO_LAYER, *by_depth(rows)[-1:]])]) for _, rows in settings(self.scored)]
        return pd.concat(found) if found else self.scored

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """The leaderboard of :attr:`deepest`, with one row per model, method and definition."""
        return leaderboard(self.deepest)

    @property
    def where(self) -> str:
        """A sentence on the layers of :attr:`deepest` where the run has others, with a space after it, else ``""``."""
        layers = [str(name) for name in self.deepest["layer"].unique() if name != NO_LAYER]
        if not set(self.scored["layer"]) - {*layers, NO_LAYER}:
            return ""
        return f"Only each model's deepest layer is shown: {', '.join(layers)}. "

    @property
    def repeats(self) -> str:
        """A sentence on methods with the same maps."""
        if len(self.leaderboard) and self.leaderboard["maps_compared"].any():
            return "Of methods with the same maps, only one is ranked."
        return "The run keeps no maps, so methods with identical maps were not looked for."


def load(
    run: Path, names: Mapping[str, str] | None = None, controls: Sequence[str] = ("random",), images: int = 6
) -> Tables:
    """Return the tables in a run's folder; a method with several sets of options has a name for each.

    Args:
        run: the folder.
        names, controls, images: as in :class:`Tables`.

    Raises:
        ValueError: where the folder has neither results nor a conformance table, or an older version wrote them.
    """
    results, timing = (_read(run / f"{name}.parquet") for name in ("results", "timing"))
    checked, curves = run / "conformance.parquet", run / "curves.parquet"
    conformance = pd.read_parquet(checked) if checked.exists() else pd.DataFrame()
    if results.empty and conformance.empty:
        raise ValueError(
            f"no run in {run}: expected a folder that heatmark sweep has written, or heatmark check; "
            "check name= and results_dir="
        )
    results = told_apart(results)
    return Tables(
        results, renamed(timing, results), StoredCurves(curves) if curves.exists() else None, conformance, run=run,
        names=names or {}, controls=tuple(controls), images=images,
    )  # fmt: skip


def alike(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the largest group of cells that were scored on the same images and classes."""
    found = scored_on(rows)
    counts = found.map(lambda scored: (found == scored).sum())
    most: pd.DataFrame = rows[rows["cell"].map(found) == found.loc[str(counts.idxmax())]]
    return most


def on_common_images(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of those images on which all cells of a setting and definition have a value.

    A cell that has no value at all is left out and removes no image.
    """
    scored = averaged(scored)
    defined = scored[scored["value"].notna()]
    comparable = [*SETTING, "definition"]
    cells = defined.groupby(comparable)["cell"].transform("nunique")
    has = defined.groupby([*comparable, "image", "target"])["cell"].transform("nunique")
    return defined[has == cells]


def _read(path: Path) -> pd.DataFrame:
    return read_table(path) if path.exists() else pd.DataFrame()


def family(method: str) -> str:
    """Return a method's name without library and options: ``grad_cam`` for ``pgc_grad_cam``."""
    prefix = next((prefix for prefix in LIBRARIES if method.startswith(prefix)), "")
    return plain(method).removeprefix(prefix)


def library_of(method: str) -> str:
    """Return the label of the library that a method's name begins with; ``""`` for the suite's own methods."""
    return next((library for prefix, library in LIBRARIES.items() if method.startswith(prefix)), "")


def settings(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield a title and the rows of every setting; the title is the model and those facts of which it has several."""
    if frame.empty:
        return
    varied = [name for name in TOLD if (frame.groupby("model")[name].nunique() > 1).any()]
    for key, rows in frame.groupby(SETTING):
        facts = dict(zip(SETTING, key, strict=True))
        yield ", ".join(str(facts[name]) for name in ["model", *varied]), rows


def by_depth(rows: pd.DataFrame) -> list[str]:
    """Return the layers of one model's rows in the order of the column ``depth``, the deepest last.

    Where a depth is not known, they are in the order of their dotted names, with numbers compared as numbers
    (``features.8`` before ``features.15``) and a container after its parts.
    """
    layers = [str(name) for name in rows["layer"].unique() if name not in ("", NO_LAYER)]
    known = rows.groupby("layer")["depth"].max().reindex(layers) if "depth" in rows else pd.Series(dtype=float)
    if len(known) and known.notna().all():
        return [str(name) for name in known.sort_values(kind="stable").index]
    return sorted(layers, key=_by_name)


def depths(results: pd.DataFrame) -> "pd.Series[float]":
    """Return the depth of every cell's layer, by cell; empty where the results have no such column."""
    return results.groupby("cell")["depth"].first() if "depth" in results else pd.Series(dtype=float)


def _by_name(layer: str) -> list[tuple[int, int, str]]:
    pieces = re.findall(r"\d+|[^\d.]+", layer)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pieces] + [(2, 0, "")]


def titles(frame: pd.DataFrame) -> dict[tuple[str, ...], str]:
    """Return the title of every setting of a table, by the values of the columns ``SETTING``."""
    return {tuple(rows.iloc[0][SETTING]): title for title, rows in settings(frame)}


def named(metric: str, definition: str, among: pd.DataFrame) -> str:
    """Return a metric's name in a figure: its definition where the table has several definitions of that metric."""
    return definition if among.loc[among["metric"] == metric, "definition"].nunique() > 1 else metric


def heading(rows: pd.DataFrame, among: pd.DataFrame) -> str:
    """Return the name of the rows' metric, with an arrow towards better values where there are any: ``deletion ↓``.

    Args:
        rows: rows of one definition of a metric.
        among: the table of which they are a part.
    """
    first = rows.iloc[0]
    name = named(str(first["metric"]), str(first["definition"]), among)
    return f"{name}{arrow(first['higher_is_better'])}"


def panels(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return a title, such as ``resnet50: deletion ↓``, and the rows of every setting and definition."""

    return [
        (f"{title}: {heading(part, frame)}", part)
        for title, rows in settings(frame)
        for _, part in rows.groupby(["metric", "definition"])
    ]

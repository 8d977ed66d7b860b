"""A run's leaderboard as tables for a paper: LaTeX (booktabs) and Markdown."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.comparisons import arrow
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.variants import told_apart
from heatmark.benchmarks.tables.draws import draws_text
from heatmark.benchmarks.tables.soundness import MARK, MATCHED, NONE, Unsound, why_unsound

NAMED = [name for name in SETTING if not name.endswith("_digest")]
"""Columns whose values name a table. Digests are left out: equal labels of two digests are made distinct before."""

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "±": r"$\pm$",
    "−": "$-$", "–": "--", "†": r"$\dagger$",
    "‡": r"$\ddagger$",
}  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A mean and half the width of its 95 % interval.

    Args:
        mean, half: over the images on which the metric is defined; NaN where it is defined on none.
        n: number of these images; None where they are all of the table's.
        best: whether the mean is the best of its column.
        flagged: number of images whose map is degenerate.
        unflagged: the mean over the other images.
    """

    mean: float = math.nan
    half: float = math.nan
    n: int | None = None
    best: bool = False
    flagged: int = 0
    unflagged: float = math.nan

    def __str__(self) -> str:
        """Return ``0.123 ± 0.004``, ``0.123 ± 0.004 (n = 2)``, ``0.123 ± 0.004 [5: 0.345]`` or a dash."""
        if math.isnan(self.mean):
            return "–"
        width = "" if math.isnan(self.half) else f" ± {self.half:.3f}"
        without = "–" if math.isnan(self.unflagged) else f"{self.unflagged:.3f}"
        flagged = f" [{self.flagged}: {without}]" if self.flagged else ""
        return f"{self.mean:.3f}{width}{flagged}" + ("" if self.n is None else f" (n = {self.n})")


@dataclass(frozen=True, eq=False)
class PaperTable:
    """A table of one model on one dataset, with one row per method and layer.

    Args:
        name: name of its files.
        entries: the columns ``method`` and ``layer``, one column of :class:`Estimate` per definition of a metric, and
            ``cost (forwards)``.
        caption: plain text.
    """

    name: str
    entries: pd.DataFrame
    caption: str


def paper_tables(
    results: pd.DataFrame, timing: pd.DataFrame, label: Callable[[str], str] = str, failed: Unsound = NONE
) -> Iterator[PaperTable]:
    """Yield one table per model, dataset and rule by which the explained class is chosen.

    Rows are in the order of ranks under the first definition. Cells that were scored on other images or classes than
    most cells of the model have a table of their own.

    Args:
        results, timing: the run's tables.
        label: from a method's name to the name that the table prints.
        failed: why metrics fail their cards (:func:`.soundness.unsound`): they have a mark, and nothing in bold.
    """
    scored = told_apart(results[results["metric"] != ""])
    ranked = leaderboard(scored)
    ranked["unsound"] = [why_unsound(row, failed) for row in ranked[MATCHED].to_dict("records")]
    cost = timing.groupby("cell")["cost_in_forwards"].median() if len(timing) else pd.Series(dtype=float)
    for key, rows in ranked.groupby(SETTING):
        facts = dict(zip(SETTING, map(str, key), strict=True))
        for position, (part, images) in enumerate(_alike(rows, scored)):
            entries = _cells(part, cost, label, images)
            yield PaperTable(
                _slug("-".join([*(facts[name] for name in NAMED), *([f"{position + 1}"] * (position > 0))])),
                entries,
                f"{facts['model']} ({facts['weights']}) on {facts['dataset']}, target {facts['target_rule']}: means "
                f"over {images} images{', other images or classes than in the previous table' * (position > 0)} ± "
                f"half the width of the 95 % BCa interval{_resampled(part)}, best in bold. {_repeats(part)}"
                f"{_fewer(entries)}{_flagged(part)}{_drawn(part)}{_unsound(part)}{_units(part)}",
            )


def _alike(rows: pd.DataFrame, scored: pd.DataFrame) -> list[tuple[pd.DataFrame, int]]:
    """Return the rows of each group of cells with the same images and classes, and the number of these images.

    The group with the most cells comes first.
    """
    mine = scored[scored["cell"].isin(rows["cell"])]
    scored_on = (mine["image"] + "\0" + mine["target"]).groupby(mine["cell"]).agg(frozenset)
    parts = [(part, len(pairs)) for pairs, part in rows.groupby(rows["cell"].map(scored_on), sort=False)]
    return sorted(parts, key=lambda found: -found[0]["cell"].nunique())


def _resampled(rows: pd.DataFrame) -> str:
    """Return what the intervals resample where it is not single images."""
    groups = rows.loc[rows["unit"] == "groups", "n_groups"]
    return f" (over {groups.max()} groups of images, whole groups resampled)" if len(groups) else ""


def _repeats(rows: pd.DataFrame) -> str:
    if not rows["maps_compared"].any():
        return "The run keeps no maps, so methods with identical maps were not looked for. "
    return "=: the maps are those of another method. " if (rows["same_as"] != "").any() else ""


def _flagged(rows: pd.DataFrame) -> str:
    """Return what brackets and daggers mean."""
    if not rows["flagged"].any():
        return ""
    return (
        "[number of images whose map is flagged as degenerate: mean over the other images]; "
        "†: flagged on most images, never in bold. "
    )


def _fewer(entries: pd.DataFrame) -> str:
    partial = entries.map(lambda entry: isinstance(entry, Estimate) and entry.n is not None).any(axis=None)
    return "n: number of images on which the metric is defined, where not all; never in bold. " if partial else ""


def _drawn(rows: pd.DataFrame) -> str:
    text = draws_text({str(definition): part for definition, part in rows.groupby("definition")})
    return f"Draws: {text}. " if text else ""


def _unsound(rows: pd.DataFrame) -> str:
    """Return which metrics fail their cards, and why."""
    why = rows[rows["unsound"] != ""].drop_duplicates("definition")
    return "".join(
        f"{MARK}: {row['metric']} fails its card on this data: {row['unsound']}. " for _, row in why.iterrows()
    )


def _units(rows: pd.DataFrame) -> str:
    definitions = "; ".join(sorted(rows["definition"].unique()))
    return f"Definitions: {definitions}. Cost: in plain forward passes of the same batch."


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")


def _cells(rows: pd.DataFrame, cost: "pd.Series[float]", label: Callable[[str], str], images: int) -> pd.DataFrame:
    order = rows.drop_duplicates("cell").set_index("cell")
    entries = pd.DataFrame({"method": order["method"].map(label), "layer": order["layer"]})
    for definition, part in rows.groupby("definition"):
        found = _estimates(part, images)
        column = pd.Series({cell: found.get(str(cell), Estimate()) for cell in entries.index}, dtype=object)
        entries[_heading(rows, part, str(definition))] = column
    repeats = order["same_as"] != ""
    entries["method"] = entries["method"].mask(repeats, "= " + entries["method"])
    entries["method"] = entries["method"].mask(order["mostly_flagged"], entries["method"] + " †")
    entries["cost (forwards)"] = [_cost(cost.get(cell, math.nan)) for cell in entries.index]
    return entries.reset_index(drop=True)


def _heading(rows: pd.DataFrame, part: pd.DataFrame, definition: str) -> str:
    metric, towards = str(part["metric"].iloc[0]), arrow(part["higher_is_better"].iloc[0])
    alone = rows.loc[rows["metric"] == metric, "definition"].nunique() == 1
    mark = f" {MARK}" if part["unsound"].iloc[0] else ""
    return f"{metric if alone else definition}{towards}{mark}"


def _estimates(part: pd.DataFrame, images: int) -> dict[str, Estimate]:
    """Return every cell's estimate under one definition; all that equal the best to the last printed digit are bold."""
    better = part["higher_is_better"].iloc[0]
    ranks = not pd.isna(better) and not part["unsound"].iloc[0]  # none is best if descriptive, or if the card fails
    whole = (part["n"] == images) & ~part["mostly_flagged"] & ranks
    best = part.loc[whole, "mean"].min() if pd.isna(better) or not better else part.loc[whole, "mean"].max()
    half = (part["ci_high"] - part["ci_low"]) / 2
    bold = whole & (part["mean"].map("{:.3f}".format) == f"{best:.3f}")
    fewer = [None if n == images else n for n in part["n"]]
    columns = (part["cell"], part["mean"], half, fewer, bold, part["flagged"], part["mean_unflagged"])
    return {str(cell): Estimate(*entry) for cell, *entry in zip(*columns, strict=True)}


def _cost(forwards: float) -> str:
    return "–" if math.isnan(forwards) else f"{forwards:.1f}"


def latex(table: PaperTable) -> str:
    """Return a table environment for LaTeX with booktabs (``\\usepackage{booktabs}``), all text escaped."""
    style = (
        _styler(table)
        .format(lambda entry: escape(str(entry)))
        .format_index(lambda name: escape(str(name)), axis="columns")
    )
    style = style.map(lambda entry: "font-weight: bold" if isinstance(entry, Estimate) and entry.best else "")
    columns = "ll" + "r" * (table.entries.shape[1] - 2)
    return str(
        style.to_latex(
            hrules=True,
            convert_css=True,
            column_format=columns,
            caption=escape(table.caption),
            label=f"tab:{table.name}",
            position="t",
            position_float="centering",
        )
    )


def markdown(table: PaperTable) -> str:
    """Return a table in Markdown, its caption above it."""
    text = (
        _styler(table)
        .format(_marked)
        .format_index(lambda name: _plain(str(name)), axis="columns")
        .to_string(delimiter=" | ")
    )
    lines = [f"| {line} |" for line in text.splitlines()]
    rule = "|" + " --- |" * 2 + " ---: |" * (table.entries.shape[1] - 2)
    return "\n".join([table.caption.replace("_", r"\_"), "", lines[0], rule, *lines[1:], ""])


def _styler(table: PaperTable) -> Styler:
    return table.entries.style.hide(axis="index")


def _marked(entry: object) -> str:
    text = _plain(str(entry))
    return f"**{text}**" if isinstance(entry, Estimate) and entry.best else text


def _plain(text: str) -> str:
    return re.sub(r"([_*|])", r"\\\1", text)


def escape(text: str) -> str:
    """Return text for LaTeX, with every special character escaped."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def write(table: PaperTable, folder: Path) -> list[Path]:
    """Write a table as ``.tex`` and ``.md``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for suffix, text in (("tex", latex(table)), ("md", markdown(table))):
        file = folder / f"{table.name}.{suffix}"
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return files

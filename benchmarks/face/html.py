"""Tables of a run as HTML, and figures as pictures, for notebooks."""

import io
from collections.abc import Iterator
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from heatmark.benchmarks.statistics.comparisons import FACTS, arrow

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png(figure: "Figure") -> bytes:
    """Return a figure as a picture of 150 dpi."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def showing_itself(figure: "Figure") -> "Figure":
    """Return a figure that a notebook shows as a picture; it does so with those of pyplot alone."""
    figure._repr_png_ = partial(png, figure)  # type: ignore[attr-defined]
    return figure


def leaderboards(ranked: pd.DataFrame) -> str:
    """Return a leaderboard as HTML, one table per comparison: rank, method, layer, mean and gain with intervals, n."""
    return "\n".join(_table(rows) for _, rows in ranked.groupby(FACTS, sort=False))


def _table(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    rule = "" if first["target_rule"] == "predicted" else f", target {first['target_rule']}"
    title = f"{first['model']} ({first['weights']}) on {first['dataset']}{rule}"
    heading = f"{first['metric']}{arrow(first['higher_is_better'])}"
    gains = ["gain over random [95 %]"] if rows["gain"].notna().any() else []
    names = ("rank", "method", "layer", f"{heading} [95 %]", *gains, "n")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(_cells(row, bool(gains)))}</tr>" for _, row in rows.iterrows())
    return f"<p><b>{escape(title)}</b></p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: "pd.Series[Any]", gains: bool) -> Iterator[str]:
    again = f" (= {row['same_as']})" if row["same_as"] else ""
    yield _cell("" if pd.isna(row["rank"]) else f"{row['rank']:g}", "right")
    yield _cell(f"{row['method']}{again}", "left")
    yield _cell(str(row["layer"]), "left")
    yield _cell(_number(row), "right")
    if gains:
        yield _cell("" if row["same_as"] else _gain(row), "right")
    yield _cell(str(row["n"]), "right")


def _cell(text: str, side: str) -> str:
    return f'<td style="text-align: {side}">{escape(text)}</td>'


def _gain(row: "pd.Series[Any]") -> str:
    if pd.isna(row["gain"]):
        return ""
    interval = "" if pd.isna(row["gain_low"]) else f" [{row['gain_low']:.3f}, {row['gain_high']:.3f}]"
    return f"{row['gain']:+.3f}{interval}"


def _number(row: "pd.Series[Any]") -> str:
    if pd.isna(row["mean"]):
        return "undefined"
    interval = "" if pd.isna(row["ci_low"]) else f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
    return f"{row['mean']:.3f}{interval}"

"""A matrix of checks and models: the outcomes of ``heatmark check``."""

import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from heatmark.benchmarks.figures.style import ONE_COLUMN, TWO_COLUMNS, below
from heatmark.benchmarks.figures.tables import Tables

NAME = "conformance_matrix"
OUTCOMES = {"not applicable": "#E8E8E8", "all agree": "#A6CEE3", "a known cause": "#E69F00", "red": "#B2182B"}


def draw(tables: Tables) -> Figure | str:
    """Return a matrix of checks × models: how many comparisons agree, coloured by the worst outcome."""
    if tables.conformance.empty:
        return "no conformance.parquet; heatmark check writes one"
    worst, counts = matrix(tables.conformance)
    rows, columns = worst.shape
    width = ONE_COLUMN if columns <= 3 else TWO_COLUMNS
    longest = max(len(str(name)) for name in worst.columns)
    figure = Figure(figsize=(width, 0.18 * rows + 0.055 * longest + 0.5), layout="constrained")
    ax = figure.subplots()
    colours = ListedColormap(list(OUTCOMES.values()))
    ax.imshow(worst.to_numpy(), cmap=colours, vmin=-0.5, vmax=len(OUTCOMES) - 0.5, aspect="auto")
    for row in range(rows):
        for column in range(columns):
            red = worst.iat[row, column] == len(OUTCOMES) - 1
            ax.text(
                column, row, str(counts.iat[row, column]), ha="center", va="center", color="white" if red else "black"
            )
    ax.set_yticks(range(rows), [str(name).replace("_", " ") for name in worst.index])
    ax.set_xticks(range(columns), list(worst.columns), rotation=45, ha="left", rotation_mode="anchor")
    ax.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    for edge in range(1, max(rows, columns)):
        (ax.axhline(edge - 0.5, color="white", linewidth=1.5) if edge < rows else None)
        (ax.axvline(edge - 0.5, color="white", linewidth=1.5) if edge < columns else None)
    handles = [Patch(color=colour, label=name) for name, colour in OUTCOMES.items()]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.3, -0.01), ncols=2 if columns <= 3 else 4)
    figure.set_figheight(figure.get_figheight() + (0.4 if columns <= 3 else 0.2))
    below(figure, "Comparisons that agree / comparisons that apply, over methods and layers; coloured by the worst.")
    return figure


def matrix(conformance: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two tables (checks × models); a check that applies to no model is left out.

    Args:
        conformance: the table that ``heatmark check`` writes.

    Returns:
        The position of the worst outcome in :data:`OUTCOMES`, and the text ``agreeing/applicable``.
    """
    conformance = conformance.groupby("check", sort=False).filter(lambda rows: (rows["verdict"] != "skipped").any())
    outcome = conformance["verdict"].map({"skipped": 0, "agrees": 1, "diverges": 2, "error": 3})
    frame = conformance.assign(outcome=outcome.mask(conformance["red"], 3))
    frame["agrees"], frame["applies"] = frame["verdict"] == "agrees", frame["verdict"] != "skipped"
    cells = frame.groupby(["check", "model"], sort=False).agg(
        worst=("outcome", "max"), agrees=("agrees", "sum"), applies=("applies", "sum")
    )
    words = cells["agrees"].astype(str) + "/" + cells["applies"].astype(str)
    words = words.where(cells["applies"] > 0, "")
    order = frame["check"].unique(), frame["model"].unique()
    worst = cells["worst"].unstack("model").reindex(index=order[0], columns=order[1]).fillna(0).astype(int)
    return worst, words.unstack("model").reindex(index=order[0], columns=order[1]).fillna("")
